"""scale, finalize, approval: the subresources with a shape of their own (``status`` is an ordinary write)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from ..errors import BadRequest, Conflict, Invalid, UnsupportedMediaType
from ..fielderrors import invalid
from ..foreign import part, parts
from ..output.jsonpath import compile_path
from ..patching.json_patch import apply_json_patch
from ..patching.merge_patch import apply_merge_patch
from ..patching.rejected import PatchMalformed, PatchRejected
from ..registry.resource import pack
from ..storage.records import ObjectKey
from .answer import Answer
from .call import Call
from .decoding import Object, media_type, parse, read_object
from .storing import existing, is_finished, remove, replace

_SCALE = {"kind": "Scale", "apiVersion": "autoscaling/v1"}


# -- scale


async def scale(call: Call) -> Answer:
    """get, update and patch of ``<resource>/scale``."""
    record = existing(call)
    obj = call.resource.decode(record.value)
    if call.info.verb == "get":
        return Answer(orjson.dumps(scale_of(call, obj)))
    options = call.write_options()
    wanted = _wanted_scale(call, scale_of(call, obj))
    meta = part(wanted, "metadata")
    if meta.get("resourceVersion") and meta["resourceVersion"] != str(record.rev):
        raise Conflict(call.resource.group, call.resource.plural, record.name)
    replicas = part(wanted, "spec").get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        error = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise Invalid("autoscaling", "Scale", record.name, [error])
    _set_path(obj, call.resource.scale_paths["specReplicasPath"], replicas)
    encoded = replace(call, record, obj, options)
    await call.api.store.committed()
    return Answer(orjson.dumps(scale_of(call, orjson.loads(encoded))))


def _wanted_scale(call: Call, current: Object) -> Object:
    if call.info.verb == "update":
        wanted = parse(call.body, call.content_type)
    else:
        kind, document = media_type(call.content_type), parse(call.body, "application/json")
        try:
            if kind == "application/json-patch+json":
                wanted = apply_json_patch(current, document)
            elif kind in ("application/merge-patch+json", "application/strategic-merge-patch+json"):
                wanted = apply_merge_patch(current, document)
            else:
                raise UnsupportedMediaType(["application/json-patch+json", "application/merge-patch+json"])
        except (PatchMalformed, PatchRejected) as error:
            raise BadRequest(f"error decoding patch: {error}") from error
    if not isinstance(wanted, dict):
        raise BadRequest("the object provided is unrecognized (must be of type Scale)")
    return cast("Object", wanted)


def scale_of(call: Call, obj: Mapping[str, Any]) -> Object:
    """``autoscaling/v1 Scale`` of an object."""
    paths, meta = call.resource.scale_paths, obj["metadata"]
    kept = {
        name: meta[name]
        for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if name in meta
    }
    status: Object = {"replicas": _number(obj, paths.get("statusReplicasPath", ""))}
    selector = _selector(obj, paths.get("labelSelectorPath", ""))
    if selector:
        status["selector"] = selector
    return {**_SCALE, "metadata": kept, "spec": {"replicas": _number(obj, paths["specReplicasPath"])}, "status": status}


def _number(obj: Mapping[str, Any], path: str) -> int:
    found = compile_path(path)(obj) if path else []
    return int(found[0]) if found and isinstance(found[0], int) else 0


def _selector(obj: Mapping[str, Any], path: str) -> str:
    found = compile_path(path)(obj) if path else []
    if not found or isinstance(found[0], str):
        return str(found[0]) if found else ""
    selector = cast("dict[str, Any]", found[0])
    labels = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _set_path(obj: Object, path: str, value: Any) -> None:
    *parents, last = path.strip(".").split(".")
    for name in parents:
        obj = obj.setdefault(name, {})
    obj[last] = value


# -- namespaces/finalize


async def finalize(call: Call) -> Answer:
    """Write ``spec.finalizers`` of a namespace; without any left, a deleted one goes."""
    options = call.write_options()
    wanted = read_object(call, options)
    record = existing(call)
    meta = wanted["metadata"]
    if meta.get("resourceVersion") and meta["resourceVersion"] != str(record.rev):
        raise Conflict("", "namespaces", record.name)
    obj = call.resource.decode(record.value)
    finalizers = parts(wanted, "spec", "finalizers")
    obj["spec"] = {"finalizers": finalizers} if finalizers else {}
    key = ObjectKey("/namespaces", "", record.name)
    if is_finished(obj):
        encoded = remove(call, key, record, obj, options)
    elif options.dry_run or obj == call.resource.decode(record.value):
        encoded = call.resource.encode(pack(obj))
    else:
        obj["metadata"]["resourceVersion"] = str(call.api.store.next_rev)
        value = pack(obj)
        call.api.store.put(key, value, record)
        encoded = call.resource.encode(value)
    await call.api.store.committed()
    return Answer(encoded)
