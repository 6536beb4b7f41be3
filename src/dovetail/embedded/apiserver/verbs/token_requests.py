"""``serviceaccounts/<name>/token``: a bound token for a service account (TokenRequest)."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson

from ..access.service_tokens import DEFAULT_SECONDS, ISSUER, MAXIMUM_SECONDS, MINIMUM_SECONDS, BoundTo
from ..admission import chain
from ..admission.plugin import CREATE, Attributes
from ..apply.managers import Writer, record_update
from ..errors import BadRequest, Conflict, Invalid, NotFound
from ..fielderrors import FieldError, invalid
from ..foreign import part, parts
from ..schema.builtin import definitions
from ..storage.records import ObjectKey, Record
from .answer import Answer
from .call import Call
from .decoding import Object
from .small_objects import read_small
from .storing import existing

GROUP, API_VERSION = "authentication.k8s.io", "authentication.k8s.io/v1"
KIND = (GROUP, "v1", "TokenRequest")
_PLURALS = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


async def token(call: Call) -> Answer:
    """``create``. Nothing is stored."""
    options = call.write_options()
    request = read_small(call, KIND, ())
    _check_place(call, part(request, "metadata"))
    account = orjson.loads(existing(call).value)["metadata"]
    spec: Object = {**part(request, "spec"), "expirationSeconds": _seconds(part(request, "spec"))}
    request["spec"] = spec
    writer = Writer(options.manager, API_VERSION, "token", call.api.now())
    managed = record_update(definitions().kind_node(*KIND), None, {"spec": spec}, writer)
    await chain.admit(
        Attributes(
            call.api, CREATE, call.resource, "token", call.namespace, call.info.name, request, None, call.user,
            options.dry_run, options.wire(CREATE), call.warnings, kind=KIND,
        )
    )  # fmt: skip
    return Answer(orjson.dumps(_answer(call, request, str(account["uid"]), managed)), 201)


def _answer(call: Call, request: Object, uid: str, managed: list[Object]) -> Object:
    spec, reference = part(request, "spec"), part(request, "spec", "boundObjectRef")
    audiences = [str(audience) for audience in parts(spec, "audiences")] or [ISSUER]
    bound = _bound(call, reference) if reference else BoundTo({})
    seconds = int(spec["expirationSeconds"])
    signed, expires = call.api.tokens.issue(call.namespace, call.info.name, uid, audiences, seconds, bound)
    place = {"name": call.info.name, "namespace": call.namespace, "creationTimestamp": call.api.now()}
    return {
        "kind": "TokenRequest", "apiVersion": API_VERSION,
        "metadata": {**part(request, "metadata"), **place, "managedFields": managed},
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference or None},
        "status": {"token": signed, "expirationTimestamp": _time(expires)},
    }  # fmt: skip


def _check_place(call: Call, meta: Object) -> None:
    errors: list[FieldError] = []
    for field, wanted in (("name", call.info.name), ("namespace", call.namespace)):
        if meta.get(field) and meta[field] != wanted:
            text = f"must match the service account {field} if specified"
            errors.append(invalid(f"metadata.{field}", meta[field], text))
    if errors:
        raise Invalid(GROUP, "TokenRequest", call.info.name, errors[:1])


def _seconds(spec: Object) -> int:
    seconds = spec.get("expirationSeconds")
    if seconds is None:
        return DEFAULT_SECONDS
    text = ""
    if seconds < MINIMUM_SECONDS:
        text = "may not specify a duration less than 10 minutes"
    elif seconds > MAXIMUM_SECONDS:
        text = "may not specify a duration larger than 2^32 seconds"
    if text:
        raise Invalid(GROUP, "TokenRequest", "", [invalid("spec.expirationSeconds", seconds, text)])
    return seconds


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _bound(call: Call, reference: Object) -> BoundTo:
    group, _, version = str(reference.get("apiVersion") or "").rpartition("/")
    kind, name = str(reference.get("kind") or ""), str(reference.get("name") or "")
    if group or kind not in _PLURALS:
        raise BadRequest(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
    found = _get(call, kind, name)
    if found is None:
        raise NotFound("", _PLURALS[kind], name)
    obj = orjson.loads(found.value)
    account = part(obj, "spec").get("serviceAccountName")
    if kind == "Pod" and account != call.info.name:
        who = f'cannot bind token for serviceaccount "{call.info.name}"'
        raise BadRequest(f"{who} to pod running with different serviceaccount name.")
    uid = obj["metadata"]["uid"]
    if reference.get("uid") and reference["uid"] != uid:
        why = (
            f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. The object "
            "might have been deleted and then recreated"
        )
        raise Conflict("", kind, name, why)
    claims = {kind.lower(): {"name": name, "uid": str(uid)}}
    if kind == "Pod" and (node := part(obj, "spec").get("nodeName")):
        claims["node"] = _node(call, str(node))
    return BoundTo(claims)


def _node(call: Call, name: str) -> dict[str, str]:
    """A pod's token tells its node, too; the uid only when there is such a Node object."""
    found = _get(call, "Node", name)
    return {"name": name, **({"uid": orjson.loads(found.value)["metadata"]["uid"]} if found else {})}


def _get(call: Call, kind: str, name: str) -> Record | None:
    namespace = "" if kind == "Node" else call.namespace
    return call.api.store.latest(ObjectKey(f"/{_PLURALS[kind]}", namespace, name))
