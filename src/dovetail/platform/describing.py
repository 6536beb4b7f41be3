"""What an endpoint takes and answers, said where it is written: `@describes(...)` on a handler.

`documents` makes the OpenAPI of it; the decorator changes nothing else. Schemas are given by the names of
`components.schemas`, or as a schema.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

Json = dict[str, Any]
Schema = str | Json

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
_ATTRIBUTE: Final = "described"

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Described:
    """`body` by media type; `query` says what each parameter is for."""

    summary: str = ""
    body: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    answer: Schema = ""
    code: int = 200
    media: str = JSON
    query: Mapping[str, str] = field(default_factory=dict[str, str])


def describes(
    *, body: Schema | Mapping[str, Schema] = "", answer: Schema = "", code: int = 200, media: str = JSON,
    query: Mapping[str, str] | None = None, summary: str = "",
) -> Callable[[Handler], Handler]:  # fmt: skip
    """Say what a handler takes and answers. `body` as a schema is JSON; a mapping of media types to schemas must be
    given as such: its keys hold a slash."""

    def mark(handler: Handler) -> Handler:
        described = Described(summary, bodies(body), answer, code, media, query or {})
        setattr(handler, _ATTRIBUTE, described)
        return handler

    return mark


def bodies(body: Schema | Mapping[str, Schema]) -> Mapping[str, Schema]:
    """Schemas by media type."""
    if not body:
        return {}
    if isinstance(body, Mapping) and any("/" in key for key in body):
        return body
    return {JSON: body}  # pyright: ignore[reportReturnType] - a mapping without media types is a schema


def described(endpoint: Callable[..., Any]) -> Described | None:
    """What was said of a handler, if anything."""
    return getattr(endpoint, _ATTRIBUTE, None)


LIST_QUERY: Final[dict[str, str]] = {
    "page": "The page to show, from 1.",
    "limit": "How many a page has; -1 for all.",
    "sortBy": "name, namespace, creationTimestamp, or a path such as status.lastLoginTime.",
    "ascending": "true for the smallest first.",
    "labelSelector": "Labels, in Kubernetes' grammar.",
    "fieldSelector": "path=value, path!=value, or path=~part, joined by commas.",
    "name": "A part of the name.",
    "nameAndAlias": "A part of the name or of the alias.",
    "names": "Exact names, joined by commas.",
    "uid": "The uid.",
    "namespace": "The namespace.",
    "ownerReference": "The uid of an owner.",
    "ownerKind": "The kind of an owner.",
    "annotation": "key=value, or key.",
    "label": "As labelSelector.",
    "status": "The state or phase.",
}
"""The parameters of `dovetail.platform.listing`."""
