"""Which fields of a live object an upgrade changes: Helm's three-way merge, read instead of carried out. Pure.

Fields that the new manifest has get its values; fields that only the former manifest had go; all others belong to
somebody else (defaults, controllers, people) and stay. Lists of Kubernetes' own kinds whose items have a name are
merged item by item as the API server's strategic merge does, all other lists are replaced as a whole.

Spellings that the API server makes one are one: quantities, `stringData`, a value and its base64, empty maps, nulls.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, cast

from dovetail.lifecycle.objects import mapping

Change = Literal["added", "changed", "removed"]
Fields = Mapping[str, Any]

_MERGED: Final[Mapping[str, str]] = {
    "containers": "name", "initContainers": "name", "ephemeralContainers": "name", "volumes": "name", "env": "name",
    "volumeMounts": "mountPath", "volumeDevices": "devicePath", "imagePullSecrets": "name", "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey", "webhooks": "name", "resourceClaims": "name",
    "schedulingGates": "name",
}  # fmt: skip
_DEFAULTS: Final[Mapping[str, Any]] = {
    "replicas": 1, "protocol": "TCP", "restartPolicy": "Always", "sessionAffinity": "None", "suspend": False,
    "dnsPolicy": "ClusterFirst", "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "successThreshold": 1,
    "failureThreshold": 3, "periodSeconds": 10, "timeoutSeconds": 1, "terminationGracePeriodSeconds": 30,
    "schedulerName": "default-scheduler", "defaultMode": 420, "parallelism": 1, "completions": 1, "backoffLimit": 6,
    "concurrencyPolicy": "Allow", "podManagementPolicy": "OrderedReady", "internalTrafficPolicy": "Cluster",
    "externalTrafficPolicy": "Cluster", "scheme": "HTTP", "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File", "minReadySeconds": 0, "volumeMode": "Filesystem",
}  # fmt: skip
"""What the API server puts where nothing is said: taking such a value away changes nothing."""
_QUANTITIES: Final = frozenset({"limits", "requests", "hard", "capacity", "max", "min", "default", "defaultRequest"})
_QUANTITY: Final = re.compile(r"([+-]?[0-9.]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]+)?")
_UNITS: Final[Mapping[str, Decimal]] = {
    "": Decimal(1), "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}  # fmt: skip
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_ABSENT: Final = None


@dataclass(frozen=True)
class FieldChange:
    """`path` such as `spec.template.spec.containers[name=web].image`; values as they are, secrets included."""

    path: str
    change: Change
    before: Any = None
    after: Any = None


def field_changes(old: Fields | None, new: Fields, live: Fields) -> list[FieldChange]:
    """What happens to `live` when `new` takes the place of `old` (None: nobody had it in a manifest)."""
    # What a former manifest wrote into a Secret as text stays: the API server keeps no `stringData` to take it from.
    former = {} if old is None else normal({key: value for key, value in old.items() if key != "stringData"})
    wanted = normal(new)
    native = is_native(str(new.get("apiVersion") or ""))
    return sorted(_Merge(native).fields(former, wanted, normal(live), ""), key=lambda one: one.path)


def patch_of(old: Fields, new: Fields) -> dict[str, Any]:
    """The same merge as a patch: strategic for kinds of Kubernetes itself, else a JSON merge patch."""
    return _Merge(is_native(str(new.get("apiVersion") or ""))).patch(old, new, "")


def normal(obj: Fields) -> dict[str, Any]:
    """The object without what the API server or Helm decides: its type, its status, where it lives."""
    kept = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "status")}
    if obj.get("kind") == "Secret":
        kept = _secret(kept)
    about = {key: value for key, value in mapping(kept.get("metadata")).items() if key not in ("name", "namespace")}
    return {**kept, "metadata": about}


def _secret(obj: dict[str, Any]) -> dict[str, Any]:
    texts = {key: _encoded(str(text)) for key, text in mapping(obj.pop("stringData", None)).items()}
    data = {key: _re_encoded(value) for key, value in mapping(obj.get("data")).items()}
    return {**obj, "data": {**data, **texts}}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _re_encoded(value: Any) -> Any:
    try:
        return base64.b64encode(base64.b64decode(str(value))).decode()
    except binascii.Error:
        return value


def is_native(api_version: str) -> bool:
    """Kinds of Kubernetes itself, whose lists it knows how to merge."""
    group = api_version.rpartition("/")[0]
    return "." not in group or (group.endswith(".k8s.io") and group.count(".") == 2)


class _Merge:
    def __init__(self, native: bool) -> None:
        self._native = native

    def fields(self, old: Fields, new: Fields, live: Fields, path: str) -> Iterator[FieldChange]:
        for key in new.keys() | old.keys():
            where = _below(path, str(key))
            wanted, there = new.get(key, _ABSENT), live.get(key, _ABSENT)
            if not _is_empty(wanted):
                yield from self._value(old.get(key), wanted, there, where, str(key))
            elif not _is_empty(old.get(key)) and not _is_empty(there):
                yield from self._gone(old.get(key), there, where, str(key))

    def patch(self, old: Fields, new: Fields, path: str) -> dict[str, Any]:
        wanted = {key: value for key, value in new.items() if value is not None}
        found: dict[str, Any] = {key: None for key in old if key not in wanted}
        for key, value in wanted.items():
            found[key] = self._part(old.get(key), value, _below(path, key), key)
        return found

    def _part(self, old: Any, new: Any, path: str, key: str) -> Any:
        if isinstance(new, Mapping) and isinstance(old, Mapping):
            return self.patch(cast("Fields", old), cast("Fields", new), path)
        by = self._merge_key(key, path)
        former, wanted = _named(old, by), _named(new, by)
        if by is None or not isinstance(new, list) or wanted is None:
            return cast("Any", new)
        kept = [self.patch((former or {}).get(name, {}), item, f"{path}[{by}={name}]") for name, item in wanted.items()]
        gone = [{"$patch": "delete", by: item[by]} for name, item in (former or {}).items() if name not in wanted]
        return [*kept, *gone]

    def _value(self, old: Any, new: Any, live: Any, path: str, key: str) -> Iterator[FieldChange]:
        if _is_empty(live):
            if not (self._native and new in ("", False) and not _is_map(path)):
                yield FieldChange(path, "added", None, new)
        elif isinstance(new, Mapping) and isinstance(live, Mapping):
            yield from self.fields(mapping(old), cast("Fields", new), cast("Fields", live), path)
        elif isinstance(new, list) and isinstance(live, list):
            yield from self._list(old, cast("list[Any]", new), cast("list[Any]", live), path, key)
        elif not _same(new, live, path):
            yield FieldChange(path, "changed", live, new)

    def _gone(self, old: Any, live: Any, path: str, key: str) -> Iterator[FieldChange]:
        """The former manifest had it, the new one has not: what it put there goes, what others put there stays."""
        if isinstance(old, Mapping) and isinstance(live, Mapping):
            yield from self.fields(cast("Fields", old), {}, cast("Fields", live), path)
        elif isinstance(old, list) and isinstance(live, list) and self._merge_key(key, path):
            yield from self._list(cast("list[Any]", old), [], cast("list[Any]", live), path, key)
        elif not (self._native and key in _DEFAULTS and _DEFAULTS[key] == live):
            yield FieldChange(path, "removed", live, None)

    def _list(self, old: Any, new: list[Any], live: list[Any], path: str, key: str) -> Iterator[FieldChange]:
        by = self._merge_key(key, path)
        former, wanted, there = (_named(items, by) for items in (old, new, live))
        if by is None or wanted is None or there is None:
            if not _alike(new, live, path):
                yield FieldChange(path, "changed", live, new)
            return
        for name, item in wanted.items():
            where = f"{path}[{by}={name}]"
            if name in there:
                yield from self.fields((former or {}).get(name, {}), item, there[name], where)
            else:
                yield FieldChange(where, "added", None, item)
        for name in (former or {}).keys() - wanted.keys():
            if name in there:
                yield FieldChange(f"{path}[{by}={name}]", "removed", there[name], None)

    def _merge_key(self, key: str, path: str) -> str | None:
        if not self._native:
            return None
        if key == "ports":
            return "port" if path == "spec.ports" else "containerPort" if "ontainers[" in path else None
        return "name" if path == "secrets" else _MERGED.get(key)


def _named(items: Any, by: str | None) -> dict[str, Fields] | None:
    """The items by name; None when some have none, or two the same."""
    found: dict[str, Fields] = {}
    for item in cast("Sequence[Any]", items) if isinstance(items, list) else ():
        name = mapping(item).get(by or "")
        if name is None or str(name) in found:
            return None
        found[str(name)] = mapping(item)
    return found


def _alike(new: Any, live: Any, path: str) -> bool:
    """Whether the API server would make `live` of `new`: the same, but for defaults that it fills in."""
    if isinstance(new, Mapping) and isinstance(live, Mapping):
        there = cast("Fields", live)
        return all(
            _is_empty(item) or _alike(item, there.get(key), f"{path}.{key}")
            for key, item in cast("Fields", new).items()
        )
    if isinstance(new, list) and isinstance(live, list):
        one, other = cast("list[Any]", new), cast("list[Any]", live)
        return len(one) == len(other) and all(_alike(item, kept, path) for item, kept in zip(one, other, strict=True))
    return _same(new, live, path)


def _same(new: Any, live: Any, path: str) -> bool:
    if isinstance(new, bool) or isinstance(live, bool):
        return new is live
    if new == live:
        return True
    if isinstance(new, Mapping | list) or isinstance(live, Mapping | list):
        return False
    keys = path.split(".")
    if any(key in _QUANTITIES for key in keys) or keys[-1] in ("sizeLimit", "storage", "divisor"):
        return _quantity(new) is not None and _quantity(new) == _quantity(live)
    return False


def _quantity(value: Any) -> Decimal | None:
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    number, unit = match[1], match[2] or ""
    try:
        if unit[:1] in ("e", "E") and len(unit) > 1 and unit != "Ei":
            return Decimal(number + unit)
        return Decimal(number) * _UNITS[unit]
    except (InvalidOperation, KeyError):
        return None


def _is_empty(value: Any) -> bool:
    """What the API server does not keep: nulls, empty maps and empty lists."""
    return value is None or (isinstance(value, Mapping | list) and not value)


def _is_map(path: str) -> bool:
    """Whether the field is an entry of a map, where an empty text is one; elsewhere it is nothing."""
    return path.startswith(("data", "binaryData")) or ".labels" in path or ".annotations" in path


def _below(path: str, key: str) -> str:
    plain = key if _PLAIN_KEY.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"
    return plain if not path else f"{path}{plain}" if plain.startswith("[") else f"{path}.{plain}"
