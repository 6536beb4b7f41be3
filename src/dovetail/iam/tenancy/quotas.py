"""A workspace's quota becomes one ResourceQuota in each of its namespaces. Pure.

The cluster's own quota admission enforces them: on any cluster, for every way to the API, exactly and atomically within
a namespace, and also while the platform is down. What is left is to share out what all may use together. A namespace's
limit is what it uses now plus all that is free in the workspace:

    limit(namespace) = used(namespace) + max(0, hard - used by all namespaces)

So a request is refused only if it does not fit into the workspace (a fixed division would refuse what fits), and once
nothing is free every limit equals what is used: nothing more fits anywhere. After each change the other limits are
lowered. Alone, two namespaces that create within the time this takes (tens of milliseconds) could together pass the
limit by what was free before; `ledger` closes that gap wherever the API server can ask us. Shares need nothing of the
cluster but ResourceQuota and hold while the platform is down; `docs/tenancy.md` weighs it.

Limits are lowered before others are raised. What a new namespace uses is unknown until the cluster has counted it;
until then its limit is nothing. However many objects come at once, a pass writes each limit once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, cast

from dovetail.apis.labels import MANAGED_BY, WORKSPACE
from dovetail.apis.quota_v1alpha2 import RESOURCEQUOTAS
from dovetail.iam.tenancy.actions import Action, Create, Patch, deletion
from dovetail.iam.tenancy.quantities import amount, written
from dovetail.kube.conditions import ConditionStatus, set_condition
from dovetail.kube.objects import is_deleting, key_of, labels_of, metadata, owner_reference, resource_version_of
from dovetail.kube.resources import Object, Resource
from dovetail.kube.selectors import matches

SHARES: Final = Resource("", "v1", "resourcequotas", "ResourceQuota")
SHARE_OF: Final = "quota.kubesphere.io/share-of"
"""The label of a namespace's share: a digest of the name of the workspace's quota."""
SHARE_PREFIX: Final = "workspace-quota."
"""What a share's name begins with; the quota's name follows."""

Amounts = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a quota stands: the most, what is used, and what each namespace uses (as far as it is known)."""

    hard: Amounts
    used: Amounts
    namespaces: Mapping[str, Amounts]

    def free(self, name: str) -> Decimal:
        """What is left of one resource."""
        return max(Decimal(0), self.hard[name] - self.used.get(name, Decimal(0)))


def share_name(quota: str) -> str:
    """The name of a quota's share in a namespace; it stands in the refusals that users read."""
    return SHARE_PREFIX + quota


def share_label(quota: str) -> str:
    """What `SHARE_OF` says."""
    return sha256(quota.encode()).hexdigest()[:32]


def selects(quota: Mapping[str, Any], namespace: Mapping[str, Any]) -> bool:
    """Whether a namespace counts: it is of the quota's workspace and matches its selector."""
    labels, selector = labels_of(namespace), _part(_part(quota, "spec"), "selector")
    workspace = workspace_of_quota(quota)
    return bool(workspace) and labels.get(WORKSPACE) == workspace and matches(dict(selector), labels)


def workspace_of_quota(quota: Mapping[str, Any]) -> str:
    """The workspace whose quota it is, by its label or else by its selector."""
    return labels_of(quota).get(WORKSPACE) or str(_part(_part(quota, "spec"), "selector").get(WORKSPACE) or "")


def hard_of(quota: Mapping[str, Any]) -> dict[str, str]:
    """The most of each resource, as written. Raises ValueError for what is no quantity."""
    said = _part(_part(_part(quota, "spec"), "quota"), "hard")
    for value in said.values():
        if amount(value) < 0:
            raise ValueError(f"{value!r} is less than nothing")
    return {str(name): str(value) for name, value in said.items()}


def standing(quota: Mapping[str, Any], namespaces: Sequence[str], shares: Mapping[str, Mapping[str, Any]]) -> Standing:
    """How the quota stands with these namespaces and their shares. Raises ValueError."""
    hard = {name: amount(text) for name, text in hard_of(quota).items()}
    by_namespace = {one: _used(shares[one], hard) for one in namespaces if one in shares}
    totals = {name: sum((used[name] for used in by_namespace.values() if name in used), Decimal(0)) for name in hard}
    return Standing(hard, totals, by_namespace)


def plan_quota(
    quota: Mapping[str, Any] | None, namespaces: Sequence[str], shares: Mapping[str, Mapping[str, Any]], now: datetime
) -> list[Action]:
    """The next steps of a quota (None: it is gone). `shares` are its shares by namespace."""
    if quota is None or is_deleting(quota):
        return [deletion(SHARES, share) for share in shares.values() if not is_deleting(share)]
    stale = [deletion(SHARES, share) for ns, share in shares.items() if ns not in namespaces and not is_deleting(share)]
    try:
        stands = standing(quota, namespaces, shares)
    except ValueError as error:
        return [*stale, *_status(quota, None, ("Enforced", "False", "Unreadable", str(error)), now)]
    changes = [one for namespace in namespaces for one in _shared(quota, namespace, shares.get(namespace), stands)]
    changes.sort(key=lambda action: _raises(action, shares))
    return [*stale, *changes, *_status(quota, stands, _condition(quota, stands, namespaces), now)]


def refused(quota: Mapping[str, Any], message: str, now: datetime) -> list[Action]:
    """Tell that the cluster did not take a share."""
    return _status(quota, None, ("Enforced", "False", "Refused", message), now)


def limits(stands: Standing, namespace: str) -> dict[str, Decimal]:
    """What a namespace may use; nothing of what is not counted yet."""
    used = stands.namespaces.get(namespace, {})
    return {name: used[name] + stands.free(name) if name in used else Decimal(0) for name in stands.hard}


def _shared(
    quota: Mapping[str, Any], namespace: str, share: Mapping[str, Any] | None, stands: Standing
) -> list[Action]:
    wanted, written_like = limits(stands, namespace), hard_of(quota)
    hard = {name: written(value, written_like[name]) for name, value in wanted.items()}
    spec = {**_scopes(quota), "hard": hard}
    if share is None:
        return [Create(SHARES, _share(quota, namespace, spec))]
    if is_deleting(share):
        return []
    said = _part(share, "spec")
    same_scopes = {key: value for key, value in said.items() if key != "hard"} == _scopes(quota)
    if same_scopes and _equal(_part(said, "hard"), wanted):
        return []
    gone = {name: None for name in _part(said, "hard") if name not in hard}
    changed = {**spec, "hard": {**gone, **hard}}
    meta = {"resourceVersion": resource_version_of(share)}
    return [Patch(SHARES, key_of(share), {"metadata": meta, "spec": changed})]


def _equal(said: Mapping[str, Any], wanted: Amounts) -> bool:
    return said.keys() == wanted.keys() and all(amount(said[name]) == wanted[name] for name in wanted)


def _raises(action: Action, shares: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a change gives a namespace more of anything than it has."""
    if not isinstance(action, Patch):
        return False
    has = _part(_part(shares[action.key.namespace], "spec"), "hard")
    gets: Mapping[str, Any] = action.patch["spec"]["hard"]
    return any(value is not None and amount(value) > amount(has.get(name, "0")) for name, value in gets.items())


def _share(quota: Mapping[str, Any], namespace: str, spec: Object) -> Object:
    name = key_of(quota).name
    named = {"apiVersion": RESOURCEQUOTAS.api_version, "kind": RESOURCEQUOTAS.kind, **quota}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {
            "name": share_name(name),
            "namespace": namespace,
            "labels": {MANAGED_BY: "dovetail", SHARE_OF: share_label(name)},
            "ownerReferences": [owner_reference(named) | {"blockOwnerDeletion": False}],
        },
        "spec": spec,
    }


def _scopes(quota: Mapping[str, Any]) -> Object:
    said = _part(_part(quota, "spec"), "quota")
    return {key: said[key] for key in ("scopes", "scopeSelector") if said.get(key)}


def _used(share: Mapping[str, Any], hard: Amounts) -> dict[str, Decimal]:
    """What the cluster has counted in a namespace, of what is limited."""
    used = _part(_part(share, "status"), "used")
    return {name: amount(used[name]) for name in hard if name in used}


def _condition(
    quota: Mapping[str, Any], stands: Standing, namespaces: Sequence[str]
) -> tuple[str, ConditionStatus, str, str]:
    if not workspace_of_quota(quota):
        return "Enforced", "False", "NoWorkspace", f"neither its label nor its selector says {WORKSPACE}"
    over = [name for name in stands.hard if stands.used[name] > stands.hard[name]]
    if over:
        return (
            "Enforced",
            "True",
            "Exceeded",
            f"more is used than is allowed of {', '.join(sorted(over))}; no more fits",
        )
    return "Enforced", "True", "Enforced", f"in {len(namespaces)} namespaces"


def _status(
    quota: Mapping[str, Any], stands: Standing | None, condition: tuple[str, ConditionStatus, str, str], now: datetime
) -> list[Action]:
    before, generation = _part(quota, "status"), int(metadata(quota).get("generation") or 0)
    type, status, reason, message = condition
    conditions = set_condition(before.get("conditions") or [], type, status, reason, message, generation, now)
    after: Object = {"conditions": conditions, "observedGeneration": generation}
    if stands is not None:
        said = hard_of(quota)
        after["total"] = {"hard": said, "used": _told(stands.used, said)}
        after["namespaces"] = [
            {"namespace": namespace, "used": _told(used, said)} for namespace, used in sorted(stands.namespaces.items())
        ]
    if all(before.get(key) == value for key, value in after.items()):
        return []
    if stands is not None and isinstance(before.get("total"), Mapping):  # a merge patch would keep what is no more
        total = cast("Mapping[str, Any]", before["total"])
        after["total"] = {
            part: {**{name: None for name in _part(total, part) if name not in said}, **said}
            for part, said in after["total"].items()
        }
    return [Patch(RESOURCEQUOTAS, key_of(quota), {"status": after}, subresource="status")]


def _told(used: Amounts, like: Mapping[str, str]) -> dict[str, str]:
    return {name: written(value, like[name]) for name, value in used.items()}


def _part(obj: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part: object = obj.get(name)
    return cast("Mapping[str, Any]", part) if isinstance(part, Mapping) else {}
