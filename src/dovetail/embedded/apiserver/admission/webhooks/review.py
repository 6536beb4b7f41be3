"""AdmissionReview: what is asked, and what an answer says. Pure.

``Verdict`` is an answer that has the right form; ``InvalidResponse`` says why one has not. A refusal becomes the
Status that the webhook gave, with who refused in front of its message.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from ...errors import StatusError
from ...foreign import part, parts
from ...registry.resource import ResourceType
from ..plugin import Attributes, Object
from .matching import convert


class InvalidResponse(ValueError):
    """Not an answer to the question; the sentence is kube-apiserver's."""


class Denied(StatusError):
    """The webhook said no: its own Status."""

    def __init__(self, hook: str, result: Mapping[str, Any]) -> None:
        said = result.get("message") or result.get("reason")
        text = f'admission webhook "{hook}" denied the request'
        super().__init__(f"{text}: {said}" if said else f"{text} without explanation", part(result, "details"))
        code = result.get("code")
        self.code = code if isinstance(code, int) and code >= 400 else 400
        self.reason = str(result.get("reason") or "")
        self._metadata = part(result, "metadata")

    def status(self) -> dict[str, Any]:
        return super().status() | {"metadata": self._metadata}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``patch`` is a JSON patch; ``result`` is the Status of a refusal."""

    allowed: bool
    result: Object = field(default_factory=dict[str, Any])
    patch: list[Any] = field(default_factory=list[Any])
    warnings: tuple[str, ...] = ()


def review_of(attributes: Attributes, resource: ResourceType, uid: str, version: str) -> bytes:
    """The question, as JSON."""
    request = request_of(attributes, resource, uid)
    return orjson.dumps(
        {"kind": "AdmissionReview", "apiVersion": f"admission.k8s.io/{version}", "request": request},
        option=orjson.OPT_NON_STR_KEYS,
    )


def request_of(attributes: Attributes, resource: ResourceType, uid: str) -> Object:
    asked, below = attributes.resource, attributes.subresource
    user = attributes.user.info()
    request: Object = {
        "uid": uid,
        "kind": _kind(attributes, resource),
        "resource": _resource(resource),
        "requestKind": _kind(attributes, asked),
        "requestResource": _resource(asked),
        "name": attributes.name,
        "namespace": attributes.name if asked.store == "/namespaces" else attributes.namespace,
        "operation": attributes.operation,
        "userInfo": user,
        "object": convert(attributes.obj, asked, resource),
        "oldObject": convert(attributes.old, asked, resource),
        "dryRun": attributes.dry_run,
        "options": attributes.options or None,
    }
    if below:
        request |= {"subResource": below, "requestSubResource": below}
    return {key: value for key, value in request.items() if value != "" or key == "uid"}


def _kind(attributes: Attributes, resource: ResourceType) -> Object:
    group, version, kind = attributes.kind or (resource.group, resource.version, resource.kind)
    return {"group": group, "version": version, "kind": kind}


def _resource(resource: ResourceType) -> Object:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def verdict_of(body: Any, uid: str, version: str, mutating: bool) -> Verdict:
    """Raises InvalidResponse."""
    if not isinstance(body, dict):
        raise InvalidResponse("webhook response was absent")
    review = cast("Object", body)
    found = f"{review.get('apiVersion') or '/'}, Kind={review.get('kind') or ''}"
    wanted = f"admission.k8s.io/{version}, Kind=AdmissionReview"
    if version == "v1" and found != wanted:
        raise InvalidResponse(f"expected webhook response of {wanted}, got {found}")
    response: Any = review.get("response")
    if not isinstance(response, dict):
        raise InvalidResponse("webhook response was absent")
    answer = cast("Object", response)
    if version == "v1" and answer.get("uid") != uid:
        raise InvalidResponse(f'expected response.uid="{uid}", got "{answer.get("uid") or ""}"')
    patch = _patch(answer, mutating, version)
    warnings = tuple(str(text) for text in parts(answer, "warnings"))
    return Verdict(answer.get("allowed") is True, part(answer, "status"), patch, warnings)


def _patch(answer: Object, mutating: bool, version: str) -> list[Any]:
    patch, kind = answer.get("patch"), answer.get("patchType")
    if not mutating:
        if version == "v1" and patch:
            raise InvalidResponse("validating webhook may not return response.patch")
        if version == "v1" and kind is not None:
            raise InvalidResponse("validating webhook may not return response.patchType")
        return []
    if version == "v1" and patch and kind is None:
        raise InvalidResponse("webhook returned response.patch but not response.patchType")
    if version == "v1" and not patch and kind is not None:
        raise InvalidResponse("webhook returned response.patchType but not response.patch")
    if not patch:
        return []
    if kind not in ("JSONPatch", None):
        raise InvalidResponse(
            f'unsupported patch type "{kind}"' if kind else 'webhook returned invalid response.patchType of ""'
        )
    return _operations(patch)


def _operations(patch: Any) -> list[Any]:
    try:
        operations = orjson.loads(b64decode(str(patch), validate=True))
    except (binascii.Error, orjson.JSONDecodeError, ValueError) as error:
        raise InvalidResponse(f"received undecodable patch in webhook response: {error}") from error
    if not isinstance(operations, list):
        raise InvalidResponse("received undecodable patch in webhook response: not a list of operations")
    return cast("list[Any]", operations)
