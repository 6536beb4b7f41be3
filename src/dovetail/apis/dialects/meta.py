"""Meta: the metadata and the common status of an object, read from either dialect."""

from collections.abc import Mapping
from typing import Final

import msgspec

from dovetail.apis.dialects.reading import Fields, Foreign
from dovetail.apis.errors import FieldError, InvalidObject

_LABEL_LINE: Final = "must be a map of key: value"


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """Who an object is. `created` is the RFC 3339 creation time; such texts sort by time."""

    api_version: str
    kind: str
    name: str
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    created: str = ""
    deleting: bool = False
    labels: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    annotations: dict[str, str] = msgspec.field(default_factory=dict[str, str])

    @property
    def id(self) -> str:
        """For logs and metrics: `APIService.extensions.kubesphere.io/name`."""
        return f"{self.kind}.{self.api_version.partition('/')[0]}/{self.name}"


class Opened(msgspec.Struct, frozen=True):
    """An object opened for reading: its metadata, spec and status, and the mistakes found so far."""

    meta: Meta
    root: Fields
    spec: Fields
    status: Fields
    errors: list[FieldError]


def open_object(obj: Foreign, *kinds: str) -> Opened:
    """Read an object's metadata. Raises InvalidObject when it is not of one of these kinds or has no name."""
    if not isinstance(obj, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidObject(kinds[0], "", [FieldError("", "must be an object: a map with apiVersion and kind")])
    errors: list[FieldError] = []
    root = Fields(obj, "", errors)
    kind = root.text("kind")
    metadata = root.child("metadata")
    name = metadata.text("name")
    if kind not in kinds:
        raise InvalidObject(kinds[0], name, [FieldError("kind", f"must be {' or '.join(kinds)}")])
    if not name:
        errors.append(FieldError("metadata.name", "is needed"))
    meta = Meta(
        api_version=root.text("apiVersion"),
        kind=kind,
        name=name,
        uid=metadata.text("uid"),
        resource_version=metadata.text("resourceVersion"),
        generation=metadata.number("generation", low=0, high=1 << 62, default=0) or 0,
        created=metadata.text("creationTimestamp"),
        deleting=metadata.raw("deletionTimestamp") is not None,
        labels=_pairs(metadata, "labels"),
        annotations=_pairs(metadata, "annotations"),
    )
    return Opened(meta, root, root.child("spec"), root.child("status"), errors)


def _pairs(metadata: Fields, name: str) -> dict[str, str]:
    """Labels or annotations. One text `key=value`, as the seed prints it, gets an error that shows the right form."""
    value = metadata.raw(name)
    if isinstance(value, str):
        key, _, text = value.partition("=")
        metadata.fail(name, f'{_LABEL_LINE}, not one text. Write "{key.strip()}: {text.strip()}" on a line of its own')
        return {}
    return metadata.text_map(name)


class State(msgspec.Struct, frozen=True):
    """What status says of an object: Available, Unavailable, Disabled, or empty when nobody has said anything.

    `healthy` is the condition Healthy (or Available), None when it is absent; `message` tells why it is False.
    """

    state: str = ""
    message: str = ""
    healthy: bool | None = None


def read_state(status: Fields) -> State:
    """status.state, with the condition that tells whether the backend answers."""
    state = status.text("state")
    for condition in status.children("conditions"):
        if condition.text("type") in ("Healthy", "Available"):
            healthy = condition.text("status") == "True"
            told = condition.text("message") or condition.text("reason")
            return State(state, "" if healthy else told, healthy)
    return State(state)
