"""The object in the body is the object of the URL: apiVersion, kind, name, namespace and workspace agree, or the
request is refused with both values. What the body leaves out is filled in from the URL. Pure.

The request was decided by its URL. A body that says something else would be written where nobody was asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from dovetail.apis.labels import WORKSPACE
from dovetail.kube.objects import labels_of
from dovetail.kube.resources import api_version_of
from dovetail.platform.errors import BadRequest
from dovetail.platform.served_kinds import ServedKind

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL is about: a kind, and as much of the rest as it says ("" otherwise)."""

    kind: ServedKind
    workspace: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def described(self) -> str:
        """The object in Kubernetes' words."""
        return f'{self.kind.resource.plural}.{self.kind.resource.group} "{self.name}"'


def bound(body: Mapping[str, Any], target: Target) -> Object:
    """The object to write. Raises BadRequest."""
    metadata = _metadata(body)
    resource = target.kind.resource
    _agree("apiVersion", body.get("apiVersion"), api_version_of(resource))
    _agree("kind", body.get("kind"), resource.kind)
    if target.name:
        _agree("metadata.name", metadata.get("name"), target.name)
        metadata["name"] = target.name
    elif not metadata.get("name") and not metadata.get("generateName"):
        raise BadRequest("metadata.name is missing")
    _agree("metadata.namespace", metadata.get("namespace") or None, target.namespace)
    if target.namespace:
        metadata["namespace"] = target.namespace
    if target.workspace and not target.namespace:
        labels = _strings(metadata.get("labels"))
        _agree(f"metadata.labels[{WORKSPACE}]", labels.get(WORKSPACE), target.workspace)
        metadata["labels"] = {**labels, WORKSPACE: target.workspace}
    return {**body, "apiVersion": api_version_of(resource), "kind": resource.kind, "metadata": metadata}


def demand_same_place(before: Mapping[str, Any], after: Mapping[str, Any], kind: ServedKind) -> None:
    """An object stays in its workspace, whoever changes it. Raises BadRequest."""
    was, becomes = labels_of(before).get(WORKSPACE), labels_of(after).get(WORKSPACE)
    if kind.home != "namespace" and was != becomes:
        raise BadRequest(
            f"metadata.labels[{WORKSPACE}] is {was or ''!r} and would become {becomes or ''!r}: an object cannot be "
            "moved to another workspace; create it there and delete it here"
        )


def _metadata(body: Mapping[str, Any]) -> Object:
    metadata: object = body.get("metadata", {})
    if not isinstance(metadata, dict):
        raise BadRequest("metadata is not an object")
    return dict(cast("Object", metadata))


def _agree(field: str, said: object, expected: str) -> None:
    if said is not None and said != expected:
        raise BadRequest(f"{field} is {said!r} in the body and {expected!r} in the URL")


def _strings(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in cast("Object", value).values()):
        raise BadRequest("metadata.labels does not map strings to strings")
    return cast("dict[str, str]", value)
