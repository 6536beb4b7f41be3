"""What a rendering is, as one digest that two renderings of the same inputs share.

Templates may draw random values or read the clock: such places differ between two renderings of the same inputs. They
are found by rendering twice (`varying`), left out of the digest, and remembered with it, so that a third rendering can
be held against what was shown and approved: equal but for those places, or refused.

An author could draw by lot what nobody shall see, so not everything may differ: which objects there are, what runs, as
whom, and every right stay in the digest. Packages that draw those by lot cannot be approved (`unstable`).

A rendering is taken apart into its leaves, `path#document/pointer` -> value. Pure.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec
import yaml

_SEPARATOR: Final = re.compile(r"(?:\A|\n)---\s*")
_DOCUMENT: Final = re.compile(r"(.*?#[0-9]+)(?:/|\Z)", re.DOTALL)
_FIXED: Final = re.compile(
    r"/(apiVersion|kind|namespace|image|serviceAccountName|serviceAccount|hostNetwork|hostPID|hostIPC|privileged)\Z"
    r"|/(command|args|securityContext|hostPath|rules|roleRef|subjects|lifecycle)/|/clientConfig/(url|service)"
)
_RIGHTS: Final = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ServiceAccount"})
Leaves = Mapping[str, str]


class Expected(msgspec.Struct, frozen=True):
    """The rendering that was approved: its digest without the leaves that differ every time."""

    digest: str
    varying: tuple[str, ...] = ()
    unstable: tuple[str, ...] = ()
    """Places that differ and may not: no further rendering fits."""


def leaves(manifests: Mapping[str, str], crds: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Every scalar of every document, with its place. Notes for people are no part of what is applied."""
    found: dict[str, str] = {}
    for path, text in (*manifests.items(), *((f"crds:{path}", text) for path, text in crds)):
        if path.endswith("NOTES.txt"):
            continue
        for number, document in enumerate(one for one in _SEPARATOR.split(text) if one.strip()):
            found.update(_flat(_parsed(document), f"{path}#{number}"))
    return found


def varying(first: Leaves, second: Leaves) -> tuple[str, ...]:
    """The places that are not the same in both, or only in one."""
    return tuple(sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key)))


def expected(first: Leaves, second: Leaves) -> Expected:
    """What a further rendering of the same inputs has to be."""
    found = varying(first, second)
    places = tuple(place for place in found if _may_vary(place, first, second))
    return Expected(digest(first, places), places, tuple(place for place in found if place not in set(places)))


def _may_vary(place: str, first: Leaves, second: Leaves) -> bool:
    if place not in first or place not in second or _FIXED.search(place):
        return False
    document = _DOCUMENT.match(place)
    return document is None or first.get(f"{document[1]}/kind") not in _RIGHTS


def digest(found: Leaves, places: Iterable[str] = ()) -> str:
    """SHA-256 of the leaves without those at `places`."""
    left_out = frozenset(places)
    kept = {key: value for key, value in found.items() if key not in left_out}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def fits(wanted: Expected, manifests: Mapping[str, str], crds: Iterable[tuple[str, str]] = ()) -> bool:
    """Whether a rendering is the approved one."""
    return digest(leaves(manifests, crds), wanted.varying) == wanted.digest


def _parsed(document: str) -> Any:
    try:
        return yaml.load(document, Loader=yaml.CBaseLoader)
    except yaml.YAMLError:
        return document  # Helm refuses it; it still is what was rendered


def _flat(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, item in cast("Mapping[str, Any]", value).items():
            yield from _flat(item, f"{place}/{key}")
    elif isinstance(value, list) and value:
        for number, item in enumerate(cast("list[Any]", value)):
            yield from _flat(item, f"{place}/{number}")
    else:
        yield place, str(value) if isinstance(value, str) else ""
