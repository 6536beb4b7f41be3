"""scale and finalize: the subresources with a shape of their own (``status`` and ``approval`` are ordinary writes)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from ..admission.plugin import Attributes
from ..apply.managers import apply
from ..apply.typed import check_typed
from ..errors import BadRequest, Invalid
from ..fielderrors import invalid
from ..foreign import part, parts
from ..output.jsonpath import compile_path
from ..registry.resource import ResourceType
from ..schema.builtin import definitions
from ..schema.conform import Mismatch, conform
from ..schema.node import ANY_NODE, Node
from ..storage.records import Record
from .admitting import modify
from .answer import Answer
from .asking import admit_finalize
from .call import Call, WriteOptions
from .decoding import APPLY, NotReadable, Object, parse, read_object
from .output import PLAIN, negotiate, to_yaml
from .storing import existing, is_finished, key_of, put_marked, remove, writer_of
from .update_rules import check_uid, check_version
from .writing import STRATEGIC, patch_type, patched_object, read_patch

_SCALE = {"kind": "Scale", "apiVersion": "autoscaling/v1"}
_KIND = ("autoscaling", "v1", "Scale")


def scale_node() -> Node:
    try:
        return definitions().kind_node(*_KIND)
    except KeyError:
        return ANY_NODE


# -- scale


async def scale(call: Call) -> Answer:
    """get, update and patch of ``<resource>/scale``."""
    form = negotiate(call.accept)
    if call.info.verb == "get":
        body = orjson.dumps(scale_of(call.resource, call.resource.decode(existing(call).value)))
        return Answer(to_yaml(body), 200, "application/yaml") if form.yaml else Answer(body)
    options = call.write_options()
    wanted = _Wanted(call, options)

    def change(record: Record) -> tuple[Object, list[Object] | None]:
        obj = call.resource.decode(record.value)
        _set_path(obj, call.resource.scale_paths["specReplicasPath"], wanted.replicas(record, obj))
        return obj, wanted.managed

    encoded = await modify(call, change, options, _ScaleView(call.resource))
    await call.api.store.committed()
    body = orjson.dumps(scale_of(call.resource, orjson.loads(encoded)))
    return Answer(to_yaml(body), 200, "application/yaml") if form.yaml and form.kind == PLAIN else Answer(body)


class _Wanted:
    """The Scale that the request asks for."""

    def __init__(self, call: Call, options: WriteOptions) -> None:
        self._call, self._options = call, options
        self._kind = "" if call.info.verb == "update" else patch_type(call)
        self.managed: list[Object] | None = None
        if self._kind == APPLY:
            self._document: Any = _read_scale(call)
            self._again: list[str] = []
        elif self._kind:
            self._document, self._again = read_patch(call, self._kind, options)
        else:
            self._document = _read_scale(call)

    def replicas(self, record: Record, obj: Object) -> int:
        """Raises StatusError."""
        scale = self._scale(record, obj)
        meta = part(scale, "metadata")
        if meta.get("name") and meta["name"] != record.name:
            raise BadRequest(
                f"the name of the object ({meta['name']}) does not match the name on the URL ({record.name})"
            )
        if not self._kind:
            check_uid(self._call.resource, record, meta.get("uid"), obj["metadata"]["uid"])
        if meta.get("resourceVersion"):
            check_version(self._call.resource, record, meta["resourceVersion"])
        replicas = part(scale, "spec").get("replicas") or 0
        if replicas < 0:
            error = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
            raise Invalid("autoscaling", "Scale", record.name, [error])
        return replicas

    def _scale(self, record: Record, obj: Object) -> Object:
        current = scale_of(self._call.resource, obj)
        if not self._kind:
            return cast("Object", self._document)
        if self._kind == APPLY:
            return self._applied(record, obj)
        if self._kind == STRATEGIC:
            return _shaped(patched_object("application/merge-patch+json", current, self._document, self._call))
        return _shaped(patched_object(self._kind, current, self._document, self._call))

    def _applied(self, record: Record, obj: Object) -> Object:
        """Only the replicas are shared with the object: their owners are the object's."""
        wish = cast("Object", self._document)
        stated = part(wish, "spec")
        if "replicas" not in stated:
            return scale_of(self._call.resource, obj)
        path: Object = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": {"name": record.name}}
        _set_path(path, self._call.resource.scale_paths["specReplicasPath"], stated["replicas"])
        writer = writer_of(self._call, self._options)
        _, self.managed = apply(self._call.resource.node, obj, path, writer, self._options.force)
        return wish


def _read_scale(call: Call) -> Object:
    kind = call.content_type if call.info.verb == "update" else APPLY
    try:
        wanted = parse(call.body, kind)
    except NotReadable as error:
        text = f"couldn't get version/kind; json parse error: {error}"
        raise BadRequest(f"the object provided is unrecognized (must be of type Scale): {text}") from error
    if not isinstance(wanted, dict):
        raise BadRequest("the object provided is unrecognized (must be of type Scale)")
    scale = cast("Object", wanted)
    found = (scale.get("kind") or "Scale", scale.get("apiVersion") or "autoscaling/v1")
    if found != ("Scale", "autoscaling/v1"):
        if found[0] == "Scale":
            raise BadRequest(
                f"the API version in the data ({found[1]}) does not match the expected API version (autoscaling/v1)"
            )
        raise BadRequest(f'{found[0]} in version "{found[1]}" cannot be handled as a Scale: unknown conversion')
    if call.info.verb == "patch":
        check_typed(scale_node(), scale)
        return scale
    return _shaped(scale)


def _shaped(value: Any) -> Object:
    if not isinstance(value, dict):
        raise BadRequest("the object provided is unrecognized (must be of type Scale)")
    try:
        return cast("Object", conform(scale_node(), value, []))
    except Mismatch as error:
        raise BadRequest(f'Scale in version "v1" cannot be handled as a Scale: {error}') from error


@dataclass(frozen=True, slots=True)
class _ScaleView:
    """Webhooks see Scale objects."""

    resource: ResourceType

    def show(self, attributes: Attributes) -> Attributes:
        assert attributes.obj is not None
        assert attributes.old is not None
        return replace(
            attributes, obj=scale_of(self.resource, attributes.obj), old=scale_of(self.resource, attributes.old),
            kind=_KIND, reread=_shaped_again,
        )  # fmt: skip

    def take(self, shown: Attributes, attributes: Attributes) -> None:
        assert shown.obj is not None
        assert attributes.obj is not None
        replicas = part(shown.obj, "spec").get("replicas") or 0
        _set_path(attributes.obj, self.resource.scale_paths["specReplicasPath"], replicas)


def _shaped_again(value: Object) -> Object:
    return {**conform(scale_node(), value, []), **_SCALE}


def scale_of(resource: ResourceType, obj: Mapping[str, Any]) -> Object:
    """``autoscaling/v1 Scale`` of an object."""
    paths, meta = resource.scale_paths, obj["metadata"]
    kept = {
        name: meta[name]
        for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if name in meta
    }
    replicas = _number(obj, paths["specReplicasPath"])
    status: Object = {"replicas": _number(obj, paths.get("statusReplicasPath", ""))}
    selector = _selector(obj, paths.get("labelSelectorPath", ""))
    if selector:
        status["selector"] = selector
    return {**_SCALE, "metadata": kept, "spec": {"replicas": replicas} if replicas else {}, "status": status}


def _number(obj: Mapping[str, Any], path: str) -> int:
    found = compile_path(path)(obj) if path else []
    return int(found[0]) if found and isinstance(found[0], int) else 0


_OPERATORS = {"In": "in", "NotIn": "notin"}


def _selector(obj: Mapping[str, Any], path: str) -> str:
    """A label selector as text, as Go writes it: in the order of the keys."""
    found = compile_path(path)(obj) if path else []
    if not found or isinstance(found[0], str):
        return str(found[0]) if found else ""
    selector = cast("dict[str, Any]", found[0])
    labels = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
    terms = [(key, f"{key}={value}") for key, value in labels.items()]
    for item in parts(selector, "matchExpressions"):
        key, operator = str(item.get("key")), str(item.get("operator"))
        values = ",".join(sorted(map(str, parts(item, "values"))))
        shown = {"Exists": key, "DoesNotExist": f"!{key}"}.get(operator)
        terms.append((key, shown or f"{key} {_OPERATORS.get(operator, operator)} ({values})"))
    return ",".join(text for _, text in sorted(terms))


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
    await admit_finalize(call, wanted)
    record = existing(call)
    check_version(call.resource, record, wanted["metadata"].get("resourceVersion"))
    obj = call.resource.decode(record.value)
    finalizers = parts(wanted, "spec", "finalizers")
    obj["spec"] = {"finalizers": finalizers} if finalizers else {}
    place = key_of(call, record.name)
    if is_finished(obj):
        encoded = remove(call, place, record, obj, options)
    elif obj == call.resource.decode(record.value):
        encoded = call.resource.encode(record.value)
    else:
        encoded = put_marked(call, place, obj, record, options)
    await call.api.store.committed()
    return Answer(encoded)
