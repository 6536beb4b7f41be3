"""What a manifest says and what the API has, compared: pure, and with no false alarms.

A manifest says less than the API stores, and says it differently: what it leaves out is anybody's (defaults, what the
server sets, what others add), quantities and numbers have many spellings, lists of named things have no order. So a
field differs only when the manifest gives it a value and the API has another one. `status` is never compared, of the
metadata only labels and annotations.

A difference is told as the JSON pointer of the live object's field, with the value that the manifest wants there.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast

from dovetail.kube.discovery import split_api_version

Path = tuple[str, ...]
Object = Mapping[str, Any]

_TYPED: Final = frozenset(
    {
        "", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps", "autoscaling",
        "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "extensions",
        "flowcontrol.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy", "rbac.authorization.k8s.io",
        "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
    }
)  # fmt: skip
"""Groups whose objects the server keeps as structures: an empty field and a missing one are the same."""
_NAMED: Final = (
    "containers", "initContainers", "ephemeralContainers", "volumes", "env", "imagePullSecrets", "secrets", "webhooks",
    "resourceClaims",
)  # fmt: skip
_KEYS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    **dict.fromkeys(_NAMED, (("name",),)),
    "volumeMounts": (("mountPath",),), "volumeDevices": (("devicePath",),), "hostAliases": (("ip",),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
}  # fmt: skip
"""Lists whose items the API tells apart by keys; the first alternative that all items have."""
_QUANTITIES: Final = frozenset(
    {
        "limits", "requests", "hard", "capacity", "min", "max", "default", "defaultRequest", "maxLimitRequestRatio",
        "averageValue", "targetAverageValue", "sizeLimit", "divisor", "target", "storage", "overhead", "podFixed",
    }
)  # fmt: skip
_VERBATIM: Final = frozenset({"data", "stringData", "binaryData", "labels", "annotations", "parameters"})
"""Maps of texts: what is empty there is meant to be."""
_EXACT_MAPS: Final = frozenset({"matchLabels", "podSelector", "namespaceSelector", "objectSelector"})
_SERVERS: Final = frozenset({"secrets", "imagePullSecrets", "clusterIPs", "ipFamilies"})
"""Lists that the cluster fills when they are empty."""
_SUFFIXES: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(10**3),
    "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip


class _Absent:
    pass


ABSENT: Final = _Absent()
END: Final = "-"
"""As a path's last part: a new item at the end of a list (RFC 6902)."""


@dataclass(frozen=True)
class Difference:
    """A field of the live object that should have the value `wanted`; `present`: it has another one now."""

    path: Path
    wanted: Any
    present: bool = True

    @property
    def pointer(self) -> str:
        return pointer(self.path)


def pointer(path: Iterable[str]) -> str:
    """RFC 6901."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def differences(wanted: Object, live: Object) -> list[Difference]:
    """Every field in which `live` is not what `wanted` says."""
    group, _ = split_api_version(str(wanted.get("apiVersion") or ""))
    compare = _Comparison(typed=group in _TYPED)
    found: list[Difference] = []
    for name, value in _comparable(wanted).items():
        found += compare.value((name,), value, live.get(name, ABSENT))
    meta, has = _map(wanted.get("metadata")), _map(live.get("metadata"))
    for name in ("labels", "annotations"):
        found += compare.value(("metadata", name), meta.get(name), has.get(name, ABSENT))
    own = [path for matches, path in _CLUSTERS if matches(wanted)]
    return [one for one in found if not any(covers(path, one.path) for path in own)]


def _comparable(wanted: Object) -> Object:
    """All but identity, metadata and status; a Secret as it is stored."""
    rest = {name: value for name, value in wanted.items() if name not in ("apiVersion", "kind", "metadata", "status")}
    binary = "data" if wanted.get("kind") == "Secret" else "binaryData"
    if isinstance(rest.get(binary), Mapping):  # base64, perhaps in several lines
        rest[binary] = {name: "".join(str(text or "").split()) for name, text in _map(rest[binary]).items()}
    if wanted.get("kind") == "Secret" and isinstance(rest.get("stringData"), Mapping):
        texts = _map(rest.pop("stringData"))
        encoded = {name: base64.b64encode(str(text or "").encode()).decode() for name, text in texts.items()}
        rest["data"] = {**_map(rest.get("data")), **encoded}
    return rest


def covers(pattern: Path, path: Path) -> bool:
    """Whether a path is what a pattern names, or below it; `*` is any one part."""
    return len(pattern) <= len(path) and all(p in ("*", q) for p, q in zip(pattern, path, strict=False))


def _is_kind(*kinds: str) -> Callable[[Object], bool]:
    return lambda obj: obj.get("kind") in kinds


def _is_any(obj: Object) -> bool:
    return True


def _has(field: str) -> Callable[[Object], bool]:
    return lambda obj: bool(obj.get(field))


_CLUSTERS: Final[Sequence[tuple[Callable[[Object], bool], Path]]] = (
    (
        _is_kind("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"),
        ("webhooks", "*", "clientConfig", "caBundle"),
    ),
    (_is_kind("APIService"), ("spec", "caBundle")),
    (_is_kind("CustomResourceDefinition"), ("spec", "conversion", "webhook", "clientConfig", "caBundle")),
    (_is_any, ("metadata", "labels", "app.kubernetes.io/managed-by")),  # Helm writes its own name over the chart's
    (_has("aggregationRule"), ("rules",)),
    (_has("aggregationRoleTemplates"), ("rules",)),
    (_has("aggregationRoleTemplates"), ("aggregationRoleTemplates", "templateNames")),
)
"""What Helm and the cluster's controllers write over a manifest's words: certificates, aggregated rules."""


@dataclass(frozen=True)
class _Comparison:
    typed: bool

    def value(self, path: Path, wanted: Any, live: Any) -> Iterator[Difference]:
        """Compare a field."""
        if wanted is None:
            return
        if live is ABSENT or live is None:
            if not (self.typed and not self._is_verbatim(path) and _is_empty(wanted)):
                yield Difference(path, wanted, present=False)
        elif isinstance(wanted, Mapping):
            yield from self._map(path, cast("Object", wanted), live)
        elif isinstance(wanted, list):
            yield from self._list(path, cast("list[Any]", wanted), live)
        elif not self._is_same(path, wanted, live):
            yield Difference(path, wanted)

    def _map(self, path: Path, wanted: Object, live: Any) -> Iterator[Difference]:
        if not isinstance(live, Mapping):
            yield Difference(path, wanted)
            return
        has = cast("Object", live)
        if path[-1] in _EXACT_MAPS and set(has) - set(wanted):
            yield Difference(path, wanted)
            return
        for name, value in wanted.items():
            yield from self.value((*path, str(name)), value, has.get(str(name), ABSENT))

    def _list(self, path: Path, wanted: list[Any], live: Any) -> Iterator[Difference]:
        if not isinstance(live, list):
            yield Difference(path, wanted)
            return
        has = cast("list[Any]", live)
        keys = _keys_of(path, [*wanted, *has]) if self.typed else ()
        if keys:
            yield from self._keyed(path, keys, wanted, has)
        elif not wanted and path[-1] in _SERVERS:
            return
        elif len(wanted) != len(has):
            yield Difference(path, wanted)
        else:
            for index, (one, other) in enumerate(zip(wanted, has, strict=True)):
                yield from self.value((*path, str(index)), one, other)

    def _keyed(self, path: Path, keys: tuple[str, ...], wanted: list[Any], live: list[Any]) -> Iterator[Difference]:
        for one in {_key(one, keys): one for one in wanted}.values():  # of a name given twice the last one counts
            same = [index for index, other in enumerate(live) if _key(other, keys) == _key(one, keys)]
            told = [list(self.value((*path, str(index)), one, live[index])) for index in same]
            if not told:
                yield Difference((*path, END), one, present=False)
            elif all(told):
                yield from told[-1]

    def _is_same(self, path: Path, wanted: Any, live: Any) -> bool:
        if wanted == live and isinstance(wanted, bool) == isinstance(live, bool):
            return True
        if isinstance(live, Mapping | list):
            return False
        if self._is_verbatim(path):
            return _is_same_text(wanted, live)
        if self.typed and wanted == "" and path[-1] != "value":
            return True  # not set: the server chose
        if self.typed and wanted == 0 and path[-1] in ("nodePort", "healthCheckNodePort"):
            return True
        return _is_same_number(wanted, live, quantities=not _QUANTITIES.isdisjoint(path[-2:]))

    def _is_verbatim(self, path: Path) -> bool:
        return len(path) > 1 and path[-2] in _VERBATIM


def _is_same_text(wanted: Any, live: Any) -> bool:
    return (str(wanted).lower() if isinstance(wanted, bool) else str(wanted)) == str(live)


def _is_same_number(wanted: Any, live: Any, *, quantities: bool) -> bool:
    """Whether two spellings are one number; the API would have refused a text where it wants a number."""
    if isinstance(wanted, bool) or isinstance(live, bool):
        return str(wanted).lower() == str(live).lower()
    one, other = _number(wanted, quantities), _number(live, quantities)
    if one is None or other is None:
        return False
    return one == other and (quantities or not (isinstance(wanted, str) and isinstance(live, str)))


def _number(value: Any, quantity: bool) -> Decimal | None:
    text = str(value).strip()
    digits = text.rstrip("numkMGTPEi") if quantity else text
    factor = _SUFFIXES.get(text[len(digits) :])
    if factor is None:
        return None
    try:
        return Decimal(digits) * factor
    except InvalidOperation:
        return None


def _keys_of(path: Path, items: Sequence[Any]) -> tuple[str, ...]:
    for keys in _KEYS.get(path[-1], ()):
        if all(isinstance(item, Mapping) and keys[0] in item for item in items):
            return keys
    return ()


def _key(item: Any, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(item.get(key) or ("TCP" if key == "protocol" else "")) for key in keys)


def _is_empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_empty(inner) for inner in cast("Object", value).values())
    return value in (None, "", 0, False) or value == []


def _map(value: Any) -> Object:
    return cast("Object", value) if isinstance(value, Mapping) else {}
