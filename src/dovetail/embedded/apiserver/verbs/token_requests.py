"""``serviceaccounts/<name>/token``: a bound token for a service account (TokenRequest)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import orjson

from ..access.service_tokens import DEFAULT_SECONDS, ISSUER, MAXIMUM_SECONDS, MINIMUM_SECONDS, BoundTo
from ..errors import BadRequest, Conflict, Invalid, NotFound
from ..fielderrors import FieldError, invalid
from ..foreign import part, parts
from ..storage.records import ObjectKey, Record
from .answer import Answer
from .call import Call
from .decoding import Object, parse
from .storing import existing

GROUP = "authentication.k8s.io"
_PLURALS = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


async def token(call: Call) -> Answer:
    """``create``. Nothing is stored."""
    call.write_options()
    request = _request(call)
    meta = part(request, "metadata")
    _check_place(call, meta)
    account = orjson.loads(existing(call).value)["metadata"]
    spec = part(request, "spec")
    seconds = _seconds(spec)
    audiences = [str(audience) for audience in parts(spec, "audiences")] or [ISSUER]
    reference = part(spec, "boundObjectRef")
    bound = _bound(call, reference) if reference else BoundTo({})
    signed, expires = call.api.tokens.issue(call.namespace, call.info.name, account["uid"], audiences, seconds, bound)
    answer = {
        "kind": "TokenRequest", "apiVersion": f"{GROUP}/v1",
        "metadata": {
            **meta, "name": call.info.name, "namespace": call.namespace, "creationTimestamp": call.api.now(),
        },
        "spec": {
            "audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference or None,
        },
        "status": {"token": signed, "expirationTimestamp": _time(expires)},
    }  # fmt: skip
    return Answer(orjson.dumps(answer), 201)


def _request(call: Call) -> Object:
    request: Any = parse(call.body, call.content_type) if call.body else {}
    if not isinstance(request, dict):
        raise BadRequest("the object provided is unrecognized (must be of type TokenRequest)")
    return cast("Object", request)


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
    if not isinstance(seconds, int):
        raise BadRequest(f"spec.expirationSeconds is a number of seconds, not {orjson.dumps(seconds).decode()}")
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
