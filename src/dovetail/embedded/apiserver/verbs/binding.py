"""``pods/<name>/binding`` and ``bindings``: a scheduler says on which node a pod runs."""

from __future__ import annotations

from typing import Any

import orjson

from ..admission import chain
from ..admission.plugin import CREATE, Attributes
from ..admission.plugins.pod_topology import LABELS
from ..errors import BadRequest, Conflict, NotFound, StatusError
from ..foreign import part, parts
from ..storage.records import ObjectKey, Record
from .answer import Answer
from .call import Call, WriteOptions
from .decoding import Object
from .small_objects import read_small
from .storing import key_of, put_marked

_KIND = ("", "v1", "Binding")


class BindingRefused(StatusError):
    """kube-apiserver gives problems with the fields of a Binding no reason."""

    code, reason = 500, ""


async def bind(call: Call) -> Answer:
    """``create`` of either."""
    options = call.write_options()
    pods = call.api.catalogue.find("", "v1", "pods")
    assert pods is not None
    binding = read_small(call, _KIND, ())
    name = str(part(binding, "metadata").get("name") or "")
    if call.info.name and call.info.name != name:
        raise BadRequest("name in URL does not match name in Binding object")
    _check_target(part(binding, "target"))
    attributes = Attributes(
        call.api, CREATE, call.resource, call.info.subresource, call.namespace, name, binding, None, call.user,
        options.dry_run, options.wire(CREATE), call.warnings, kind=_KIND,
    )  # fmt: skip
    await chain.admit(attributes)
    pod_call = call if call.resource is pods else Call(call.api, call.info, pods, call.user, call.query)
    _assign(pod_call, name, binding, options)
    await call.api.store.committed()
    return Answer(success(201), 201)


def success(code: int) -> bytes:
    return orjson.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code})


def _check_target(target: Object) -> None:
    problems: list[str] = []
    if target.get("kind") not in (None, "", "Node"):
        shown = orjson.dumps(target["kind"]).decode()
        problems.append(f'target.kind: Unsupported value: {shown}: supported values: "Node", "<empty>"')
    if not target.get("name"):
        problems.append("target.name: Required value")
    if problems:
        raise BindingRefused(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def _assign(call: Call, name: str, binding: Object, options: WriteOptions) -> None:
    key = key_of(call, name)
    record = call.api.store.latest(key)
    if record is None:
        raise NotFound("", "pods", name)
    pod = call.resource.decode(record.value)
    _check_pod(pod, name, binding, record)
    pod["spec"]["nodeName"] = binding["target"]["name"]
    annotations = part(binding, "metadata", "annotations")
    if annotations:
        pod["metadata"]["annotations"] = {**part(pod, "metadata", "annotations"), **annotations}
    topology = {key: value for key, value in part(binding, "metadata", "labels").items() if key in LABELS}
    if topology:
        pod["metadata"]["labels"] = {**part(pod, "metadata", "labels"), **topology}
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": call.api.now()}
    status: Object = pod.setdefault("status", {})
    others = [c for c in parts(status, "conditions") if c.get("type") != "PodScheduled"]
    status["conditions"] = [*others, scheduled]
    put_marked(call, ObjectKey(*key), pod, record, options)


def _check_pod(pod: Object, name: str, binding: Object, record: Record) -> None:
    def conflict(why: str) -> Conflict:
        return Conflict("", "pods/binding", name, why)

    meta: Any = part(binding, "metadata")
    uid, found = meta.get("uid"), pod["metadata"]["uid"]
    if uid and uid != found:
        raise conflict(f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}")
    if meta.get("resourceVersion") and meta["resourceVersion"] != str(record.rev):
        raise Conflict("", "pods", name)
    if pod["metadata"].get("deletionTimestamp"):
        raise conflict(f"pod {name} is being deleted, cannot be assigned to a host")
    if node := part(pod, "spec").get("nodeName"):
        raise conflict(f'pod {name} is already assigned to node "{node}"')
    if parts(pod, "spec", "schedulingGates"):
        raise conflict(f"pod {name} has non-empty .spec.schedulingGates")
