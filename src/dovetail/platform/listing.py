"""The query grammar of every list, and the page it makes (reference/kubesphere-core.md 1.10). Pure.

    query = read_query(request.query_params.multi_items())
    return json_answer(page_of(items, query))

`items` are the objects that the caller may see, **as he may see them**: filtering comes after hiding, because a filter
on a field that is not shown would tell what is in it. Parameters:

- page (from 1), limit (-1 or absent: all), sortBy (name, namespace, creationTimestamp or a path such as
  `status.lastLoginTime`; creationTimestamp unless said), ascending (false unless said);
- labelSelector, and label in the same grammar: all that Kubernetes knows;
- fieldSelector: `path=value`, `path==value`, `path!=value`, and with `~` in front of the value its part, in any case;
- name (a part of it), nameAndAlias (a part of the name or of the alias), names (any of these, exactly), uid, namespace,
  ownerReference (the owner's uid), ownerKind, annotation (`key=value` or `key`), status (its state or phase).

A parameter with an empty value counts as absent. One that is unknown, that stands there twice, or that cannot be read
is refused with its name: leaving a filter out would show more than was asked for.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dovetail.apis.labels import ALIAS_NAME
from dovetail.kube.label_query import LabelQuery, parse_label_query
from dovetail.kube.objects import annotations_of, key_of, labels_of, metadata, owners_of, uid_of
from dovetail.platform.errors import BadRequest
from dovetail.platform.field_paths import Path, parse_path, text_of, values_at

Object = dict[str, Any]
Test = Callable[[Mapping[str, Any]], bool]

_WHOLE = re.compile(r"-?[0-9]{1,9}\Z")
_CREATED: Final[Path] = ("metadata", "creationTimestamp")
_ORDERS: Final[Mapping[str, Path]] = {
    "creationTimestamp": _CREATED, "createTime": _CREATED, "name": ("metadata", "name"),
    "namespace": ("metadata", "namespace"),
}  # fmt: skip
_FIELD = re.compile(r"(?P<path>(?:\[[^\]]*\]|\\.|[^=!\[])+?)(?P<sign>==|!=|=)(?P<value>.*)\Z", re.DOTALL)
_PART = re.compile(r"(?:\\.|\[[^\]]*\]|[^,])*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list was asked for. `labels` is apart from the other tests, since the API can filter by it, too."""

    page: int = 1
    limit: int = -1
    order: Path = _CREATED
    ascending: bool = False
    labels: LabelQuery = field(default_factory=LabelQuery)
    tests: tuple[Test, ...] = ()
    custom: Mapping[str, str] = field(default_factory=dict[str, str])
    """Parameters that only this list knows, for its own filtering."""

    def matches(self, obj: Mapping[str, Any]) -> bool:
        """Whether an object is asked for."""
        return self.labels.matches(labels_of(obj)) and all(test(obj) for test in self.tests)


def read_query(parameters: Iterable[tuple[str, str]], custom: Sequence[str] = ()) -> ListQuery:
    """Read decoded query parameters; `custom` are names that only this list knows. Raises BadRequest."""
    given = _once(parameters)
    for name in given:
        if name not in _FILTERS and name not in _SHAPE and name not in custom:
            known = ", ".join((*_SHAPE, *_FILTERS, *custom))
            raise BadRequest(f"the query parameter {name!r} is not known here; known are {known}")
    page = _whole(given, "page", 1, least=1)
    return ListQuery(
        page=page,
        limit=_whole(given, "limit", -1, least=1, everything=-1),
        order=_order(given.get("sortBy", "")),
        ascending=_truth(given, "ascending"),
        labels=_label_query("labelSelector", given.get("labelSelector", "")),
        tests=tuple(_test(name, text) for name, text in given.items() if name in _FILTERS),
        custom={name: given[name] for name in custom if name in given},
    )


def select(items: Iterable[Object], query: ListQuery) -> list[Object]:
    """Everything that is asked for, in its order; equals by namespace and name, so that pages never overlap."""
    found = sorted(filter(query.matches, items), key=key_of)
    found.sort(key=lambda obj: _rank(values_at(obj, query.order)), reverse=not query.ascending)
    return found


def page_of(items: Iterable[Object], query: ListQuery) -> dict[str, Any]:
    """KubeSphere's envelope: one page of what is asked for, and how many there are."""
    found = select(items, query)
    return {"items": _page(found, query), "totalItems": len(found)}


def list_of(items: Iterable[Object], query: ListQuery, api_version: str, kind: str) -> dict[str, Any]:
    """Kubernetes' envelope as generic lists have it: `continue` is the total and no token; `remainingItemCount` is
    what follows this page."""
    found = select(items, query)
    shown = _page(found, query)
    before = (query.page - 1) * max(query.limit, 0)
    remaining = max(0, len(found) - before - len(shown))
    meta = {"continue": str(len(found)), "remainingItemCount": remaining}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, "items": shown}


def _page(found: list[Object], query: ListQuery) -> list[Object]:
    if query.limit < 0:
        return found if query.page == 1 else []
    return found[(query.page - 1) * query.limit :][: query.limit]


def _rank(values: Sequence[Any]) -> tuple[int, Any]:
    """Absent before numbers before text, so that any two objects can be compared."""
    value = values[0] if values else None
    if value is None:
        return 0, 0
    return (1, value) if isinstance(value, int | float) else (2, text_of(value))


def _once(parameters: Iterable[tuple[str, str]]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parameters:
        if name in given:
            raise BadRequest(f"the query parameter {name!r} is given twice")
        given[name] = value
    return {name: value for name, value in given.items() if value}


def _whole(given: Mapping[str, str], name: str, default: int, *, least: int, everything: int | None = None) -> int:
    text = given.get(name)
    if text is None:
        return default
    number = int(text) if _WHOLE.match(text) else None
    if number is None or (number < least and number != everything):
        raise BadRequest(f"the query parameter {name!r} is not a whole number from {least}: {text!r}")
    return number


def _truth(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise BadRequest(f"the query parameter {name!r} is neither true nor false: {given[name]!r}")
    return text == "true"


def _order(text: str) -> Path:
    if not text or text in _ORDERS:
        return _ORDERS.get(text, _CREATED)
    if "." not in text:
        raise BadRequest(f"the query parameter 'sortBy' is none of {', '.join(_ORDERS)} and no path: {text!r}")
    try:
        return parse_path(text)
    except ValueError as error:
        raise BadRequest(f"the query parameter 'sortBy' cannot be read: {error}") from error


def _label_query(name: str, text: str) -> LabelQuery:
    try:
        return parse_label_query(text)
    except ValueError as error:
        raise BadRequest(f"the query parameter {name!r} cannot be read: {error}") from error


def _test(name: str, text: str) -> Test:
    try:
        return _FILTERS[name](text)
    except ValueError as error:
        raise BadRequest(f"the query parameter {name!r} cannot be read: {error}") from error


def _name(part: str) -> Test:
    return lambda obj: part in key_of(obj).name


def _name_and_alias(part: str) -> Test:
    return lambda obj: part in key_of(obj).name or part in str(annotations_of(obj).get(ALIAS_NAME, ""))


def _names(text: str) -> Test:
    names = frozenset(name.strip() for name in text.split(","))
    return lambda obj: key_of(obj).name in names


def _owner(attribute: str) -> Callable[[str], Test]:
    def test(text: str) -> Test:
        return lambda obj: any(owner.get(attribute) == text for owner in owners_of(obj))

    return test


def _annotation(text: str) -> Test:
    key, sign, value = text.partition("=")
    if not key:
        raise ValueError("it is not key=value")
    if not sign:
        return lambda obj: key in annotations_of(obj)
    return lambda obj: annotations_of(obj).get(key) == value


def _labels(text: str) -> Test:
    query = parse_label_query(text)
    return lambda obj: query.matches(labels_of(obj))


def _status(text: str) -> Test:
    wanted = text.lower()
    paths: tuple[Path, ...] = (("status", "state"), ("status", "phase"))
    return lambda obj: any(text_of(value).lower() == wanted for path in paths for value in values_at(obj, path))


def _fields(text: str) -> Test:
    tests = [_field(part) for part in _parts(text)]
    return lambda obj: all(test(obj) for test in tests)


def _parts(text: str) -> Iterator[str]:
    """What stands between commas, but for those that are escaped or in brackets."""
    at = -1
    while at < len(text):
        found = _PART.match(text, at + 1)
        assert found is not None  # the pattern matches the empty string
        yield found[0]
        at = found.end()


def _field(text: str) -> Test:
    found = _FIELD.match(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not path=value, path!=value or path=~part")
    path, value = parse_path(found["path"]), re.sub(r"\\(.)", r"\1", found["value"])
    if value.startswith("~"):
        part = value[1:].lower()
        return _signed(found["sign"], lambda obj: any(part in text_of(one).lower() for one in values_at(obj, path)))
    return _signed(found["sign"], lambda obj: value in (list(map(text_of, values_at(obj, path))) or [""]))


def _signed(sign: str, test: Test) -> Test:
    return (lambda obj: not test(obj)) if sign == "!=" else test


_SHAPE: Final = ("page", "limit", "sortBy", "ascending", "labelSelector")
_FILTERS: Final[Mapping[str, Callable[[str], Test]]] = {
    "fieldSelector": _fields,
    "name": _name,
    "nameAndAlias": _name_and_alias,
    "names": _names,
    "uid": lambda text: lambda obj: uid_of(obj) == text,
    "namespace": lambda text: lambda obj: metadata(obj).get("namespace") == text,
    "ownerReference": _owner("uid"),
    "ownerKind": _owner("kind"),
    "annotation": _annotation,
    "label": _labels,
    "status": _status,
}
