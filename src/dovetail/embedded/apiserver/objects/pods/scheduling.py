"""Where a pod may run: affinity, tolerations, topology spread, gates; and the names it is known by there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part, parts
from .. import names
from ..names import dns_label, dns_subdomain, label_value, qualified
from .formats import NOT_POSITIVE, dns_subdomain_with_underscore, each, selector

Object = dict[str, Any]

REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"]
_UNSELECTED = "must not be specified when labelSelector is not set"


def affinity_errors(affinity: Any, field: str) -> Iterator[FieldError]:
    if not is_object(affinity):
        return
    if is_object(affinity.get("nodeAffinity")):
        yield from _node_affinity(affinity["nodeAffinity"], f"{field}.nodeAffinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        for index, term in enumerate(parts(affinity, kind, REQUIRED)):
            yield from _pod_term(term, f"{field}.{kind}.{REQUIRED}[{index}]")
        for index, weighted in enumerate(parts(affinity, kind, PREFERRED)):
            where = f"{field}.{kind}.{PREFERRED}[{index}]"
            yield from _weight(weighted, where)
            yield from _pod_term(part(weighted, "podAffinityTerm"), f"{where}.podAffinityTerm")


def _weight(term: Object, field: str) -> Iterator[FieldError]:
    if not 1 <= term.get("weight", 0) <= 100:
        yield fe.invalid(f"{field}.weight", term.get("weight", 0), "must be in the range 1-100")


def _node_affinity(affinity: Object, field: str) -> Iterator[FieldError]:
    if is_object(affinity.get(REQUIRED)):
        yield from node_selector_errors(affinity[REQUIRED], f"{field}.{REQUIRED}")
    for index, term in enumerate(parts(affinity, PREFERRED)):
        where = f"{field}.{PREFERRED}[{index}]"
        yield from _weight(term, where)
        yield from _node_term(part(term, "preference"), f"{where}.preference", values=False)


def node_selector_errors(wanted: Object, field: str) -> Iterator[FieldError]:
    """A ``v1.NodeSelector``."""
    terms = parts(wanted, "nodeSelectorTerms")
    if not terms:
        yield fe.required(f"{field}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in enumerate(terms):
        yield from _node_term(term, f"{field}.nodeSelectorTerms[{index}]", values=True)


def _node_term(term: Object, field: str, *, values: bool) -> Iterator[FieldError]:
    for index, item in enumerate(parts(term, "matchExpressions")):
        yield from _node_expression(item, f"{field}.matchExpressions[{index}]", values=values)
    for index, item in enumerate(parts(term, "matchFields")):
        yield from _node_field(item, f"{field}.matchFields[{index}]")


def _node_expression(item: Object, field: str, *, values: bool) -> Iterator[FieldError]:
    operator, given, where = item.get("operator", ""), parts(item, "values"), f"{field}.values"
    if operator in ("In", "NotIn"):
        if not given:
            yield fe.required(where, "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if given:
            yield fe.forbidden(where, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt"):
        if len(given) != 1:
            yield fe.required(where, "must be specified single value when `operator` is 'Lt' or 'Gt'")
    else:
        yield fe.invalid(f"{field}.operator", operator, "not a valid selector operator")
    yield from each(f"{field}.key", item.get("key", ""), qualified(item.get("key", "")))
    for index, text in enumerate(given if values else []):
        yield from each(f"{where}[{index}]", text, label_value(text))


def _node_field(item: Object, field: str) -> Iterator[FieldError]:
    operator, given = item.get("operator", ""), parts(item, "values")
    if operator not in ("In", "NotIn"):
        yield fe.invalid(f"{field}.operator", operator, "not a valid selector operator")
    elif len(given) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield fe.required(f"{field}.values", text)
    if item.get("key") != "metadata.name":
        yield fe.invalid(f"{field}.key", item.get("key", ""), "not a valid field selector key")
    else:
        for index, text in enumerate(given):
            yield from each(f"{field}.values[{index}]", text, dns_subdomain(text))


def _pod_term(term: Object, field: str) -> Iterator[FieldError]:
    yield from selector(term.get("labelSelector"), f"{field}.labelSelector")
    yield from selector(term.get("namespaceSelector"), f"{field}.namespaceSelector")
    for name in parts(term, "namespaces"):
        yield from each(f"{field}.namespace", name, dns_label(name))
    yield from _label_keys(term, field)
    topology = str(term.get("topologyKey", ""))
    if not topology:
        yield fe.required(f"{field}.topologyKey", "can not be empty")
    yield from each(f"{field}.topologyKey", topology, qualified(topology))


def _label_keys(term: Object, field: str) -> Iterator[FieldError]:
    selecting = term.get("labelSelector")
    for kind in ("matchLabelKeys", "mismatchLabelKeys"):
        keys = parts(term, kind)
        if keys and selecting is None:
            yield fe.forbidden(f"{field}.{kind}", _UNSELECTED)
        else:
            for index, key in enumerate(keys):
                yield from each(f"{field}.{kind}[{index}]", key, qualified(key))
    matching = parts(term, "matchLabelKeys")
    if selecting is not None:
        places = {key: index for index, key in enumerate(matching)}
        seen = set(part(selecting, "matchLabels"))
        for item in parts(selecting, "matchExpressions"):
            key = item.get("key", "")
            if key in places and key in seen:
                text = "exists in both matchLabelKeys and labelSelector"
                yield fe.invalid(f"{field}[{places[key]}]", key, text)
            seen.add(key)
    for index, key in enumerate(matching):
        if key in parts(term, "mismatchLabelKeys"):
            text = "exists in both matchLabelKeys and mismatchLabelKeys"
            yield fe.invalid(f"{field}.matchLabelKeys[{index}]", key, text)


def toleration_errors(tolerations: list[Object], field: str) -> Iterator[FieldError]:
    for index, toleration in enumerate(tolerations):
        where = f"{field}[{index}]"
        key, operator, text, effect = (str(toleration.get(n, "")) for n in ("key", "operator", "value", "effect"))
        if key:
            yield from each(f"{where}.key", key, qualified(key))
        elif operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield fe.invalid(f"{where}.operator", operator, why)
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            yield fe.invalid(f"{where}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
        if operator in ("Equal", ""):
            if problems := label_value(text):
                yield fe.invalid(f"{where}.operator", text, ";".join(problems))
        elif operator == "Exists":
            if text:
                yield fe.invalid(f"{where}.operator", text, "value must be empty when `operator` is 'Exists'")
        else:
            yield fe.not_supported(f"{where}.operator", operator, ["Equal", "Exists"])
        if effect and effect not in _EFFECTS:
            yield fe.not_supported(f"{where}.effect", effect, _EFFECTS)


def spread_errors(
    constraints: list[Object], field: str, merged: dict[int, set[str]] | None = None
) -> Iterator[FieldError]:
    """``topologySpreadConstraints``. ``merged``: keys that the server itself put into the selector, by constraint."""
    for index, constraint in enumerate(constraints):
        where, action = f"{field}[{index}]", str(constraint.get("whenUnsatisfiable", ""))
        topology = str(constraint.get("topologyKey", ""))
        if constraint.get("maxSkew", 0) <= 0:
            yield fe.invalid(f"{where}.maxSkew", constraint.get("maxSkew", 0), NOT_POSITIVE)
        if not topology:
            yield fe.required(f"{where}.topologyKey", "can not be empty")
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            yield fe.not_supported(f"{where}.whenUnsatisfiable", action, ["DoNotSchedule", "ScheduleAnyway"])
        for other in constraints[index + 1 :]:
            if (other.get("topologyKey", ""), other.get("whenUnsatisfiable", "")) == (topology, action):
                yield fe.duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", f"{{{topology}, {action}}}")
                break
        yield from _domains(constraint.get("minDomains"), action, f"{where}.minDomains")
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if constraint.get(name) not in (None, "Honor", "Ignore"):
                yield fe.not_supported(f"{where}.{name}", constraint[name], ["Honor", "Ignore"])
        yield from _spread_keys(constraint, where, (merged or {}).get(index, set()))
        yield from selector(constraint.get("labelSelector"), f"{where}.labelSelector")


def _domains(count: int | None, action: str, field: str) -> Iterator[FieldError]:
    if count is not None and count <= 0:
        yield fe.invalid(field, count, NOT_POSITIVE)
    if count is not None and action != "DoNotSchedule":
        yield fe.invalid(field, count, f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}")


def _spread_keys(constraint: Object, field: str, merged: set[str]) -> Iterator[FieldError]:
    keys, selecting = parts(constraint, "matchLabelKeys"), constraint.get("labelSelector")
    if not keys:
        return
    if selecting is None:
        yield fe.forbidden(f"{field}.matchLabelKeys", _UNSELECTED)
    selected = set(part(constraint, "labelSelector", "matchLabels"))
    selected |= {item.get("key", "") for item in parts(constraint, "labelSelector", "matchExpressions")} - merged
    for index, key in enumerate(keys):
        yield from each(f"{field}.matchLabelKeys[{index}]", key, qualified(key))
        if key in selected:
            text = "exists in both matchLabelKeys and labelSelector"
            yield fe.invalid(f"{field}.matchLabelKeys[{index}]", key, text)


def gate_errors(spec: Object, field: str) -> Iterator[FieldError]:
    for index, gate in enumerate(parts(spec, "readinessGates")):
        kind = str(gate.get("conditionType", ""))
        yield from each(f"{field}.readinessGates[{index}].conditionType", kind, qualified(kind))
    seen: set[str] = set()
    for index, gate in enumerate(parts(spec, "schedulingGates")):
        where, name = f"{field}.schedulingGates[{index}]", str(gate.get("name", ""))
        yield from each(where, name, qualified(name))
        if name in seen:
            yield fe.duplicate(where, name)
        seen.add(name)


def dns_errors(spec: Object, field: str) -> Iterator[FieldError]:
    config, where = spec.get("dnsConfig"), f"{field}.dnsConfig"
    servers, searches = parts(spec, "dnsConfig", "nameservers"), parts(spec, "dnsConfig", "searches")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            yield fe.required(where, "must provide `dnsConfig` when `dnsPolicy` is None")
            return
        if not servers:
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            yield fe.required(f"{where}.nameservers", text)
            return
    if len(servers) > 3:
        yield fe.invalid(f"{where}.nameservers", servers, "must not have more than 3 nameservers")
    for index, server in enumerate(servers):
        yield from each(f"{where}.nameservers[{index}]", server, names.ip(server))
    if len(searches) > 32:
        yield fe.invalid(f"{where}.searches", searches, "must not have more than 32 search paths")
    if len(" ".join(searches)) > 2048:
        text = "must not have more than 2048 characters (including spaces) in the search list"
        yield fe.invalid(f"{where}.searches", searches, text)
    for index, search in enumerate(searches):
        if search != ".":
            name = search.removesuffix(".")
            yield from each(f"{where}.searches[{index}]", name, dns_subdomain_with_underscore(name))
    for index, option in enumerate(parts(spec, "dnsConfig", "options")):
        if not option.get("name"):
            yield fe.required(f"{where}.options[{index}]", "must not be empty")


def alias_errors(aliases: list[Object], field: str) -> Iterator[FieldError]:
    for index, alias in enumerate(aliases):
        where, ip = f"{field}[{index}]", str(alias.get("ip", ""))
        yield from each(f"{where}.ip", ip, names.ip(ip))
        for at, name in enumerate(parts(alias, "hostnames")):
            yield from each(f"{where}.hostnames[{at}]", name, dns_subdomain(name))
