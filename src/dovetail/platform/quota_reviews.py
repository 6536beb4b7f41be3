"""Creations in workspaces with quotas: the answer to the API server's question whether one more still fits.

What the cluster has counted comes from the shares (`iam.tenancy.quotas`), what was let in and is not counted yet from
the ledger. Questions are answered one after the other, so two namespaces never get the same free place. Quotas with
scopes are left to their shares, which know what the scopes mean.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from dovetail.apis.quota_v1alpha2 import RESOURCEQUOTAS
from dovetail.iam.tenancy.guards import answered
from dovetail.iam.tenancy.ledger import Ledger
from dovetail.iam.tenancy.quantities import amount, written
from dovetail.iam.tenancy.quotas import (
    SHARE_OF,
    SHARE_PREFIX,
    SHARES,
    Standing,
    hard_of,
    selects,
    share_name,
    standing,
    workspace_of_quota,
)
from dovetail.iam.tenancy.usage import usage
from dovetail.kube.lister import Lister
from dovetail.kube.objects import is_deleting, key_of
from dovetail.kube.resources import NAMESPACES, Object
from dovetail.kube.runtime import ControllerRuntime

_BY_NAME: Final = "name"


class QuotaReviews:
    """Make it before the runtime runs. `clock` gives seconds; `on_change` is told when other workspaces are limited."""

    def __init__(self, runtime: ControllerRuntime, clock: Callable[[], float]) -> None:
        self._clock, self._ledger = clock, Ledger()
        self._quotas = runtime.informer(RESOURCEQUOTAS, optional=True)
        self._namespaces = runtime.informer(NAMESPACES, optional=True)
        self._shares = runtime.informer(
            SHARES, label_selector=SHARE_OF, indexers={_BY_NAME: lambda share: [key_of(share).name]}
        )
        self._shares.add_handler(self._counted)

    def follow(self, on_change: Callable[[], None]) -> None:
        """Call this when a quota comes, goes or changes."""

        def changed(type: str, old: Object | None, new: Object, /) -> None:
            on_change()

        self._quotas.add_handler(changed)

    def limited(self) -> list[str]:
        """The workspaces that have quotas."""
        return sorted({workspace_of_quota(quota) for quota in self._lasting(self._quotas.lister)} - {""})

    def review(self, review: Mapping[str, Any]) -> Object:
        """Let it in, or say what there is not enough of."""
        request = _part(review, "request")
        namespace = self._namespaces.lister.get(str(request.get("namespace") or ""))
        if namespace is None or request.get("dryRun"):
            return answered(review, "")
        resource = str(_part(request, "resource").get("resource") or "")
        try:
            asked = usage(resource, _part(request, "object"))
        except ValueError:
            return answered(review, "")  # the API server has its own words for such an amount
        for quota in self._lasting(self._quotas.lister):
            if selects(quota, namespace) and (refusal := self._refusal(quota, key_of(namespace).name, asked)):
                return answered(review, refusal)
        return answered(review, "")

    def _refusal(self, quota: Object, namespace: str, asked: Mapping[str, Any]) -> str:
        if _part(quota, "spec").get("quota", {}).get("scopes") or _part(quota, "spec")["quota"].get("scopeSelector"):
            return ""
        name, like = key_of(quota).name, hard_of(quota)
        stands, now = self._standing(quota), self._clock()
        taken = self._ledger.taken(name, stands, now)
        lacking = self._ledger.exceeded(name, namespace, stands, asked, now)
        if not lacking:
            return ""
        told = (("requested", asked), ("used", taken), ("limited", stands.hard))
        sums = [
            (word, ",".join(f"{one}={written(amounts[one], like[one])}" for one in lacking)) for word, amounts in told
        ]
        numbers = ", ".join(f"{word}: {amounts}" for word, amounts in sums)
        return f"exceeded quota: {share_name(name)}, {numbers} (all projects of the workspace together)"

    def _standing(self, quota: Object) -> Standing:
        shares = self._shares.lister.by_index(_BY_NAME, share_name(key_of(quota).name))
        by_namespace = {key_of(one).namespace: one for one in shares}
        return standing(quota, list(by_namespace), by_namespace)

    def _lasting(self, quotas: Lister) -> list[Object]:
        return [quota for quota in quotas.list() if not is_deleting(quota) and _readable(quota)]

    def _counted(self, type: str, old: Object | None, new: Object, /) -> None:
        key = key_of(new)
        if type == "MODIFIED" and old is not None and key.name.startswith(SHARE_PREFIX):
            self._ledger.counted(key.name.removeprefix(SHARE_PREFIX), key.namespace, _used(old), _used(new))


def _readable(quota: Object) -> bool:
    try:
        return bool(hard_of(quota))
    except ValueError:
        return False


def _used(share: Object) -> dict[str, Any]:
    return {name: amount(value) for name, value in _part(_part(share, "status"), "used").items()}


def _part(obj: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part: object = obj.get(name)
    return cast("Mapping[str, Any]", part) if isinstance(part, dict) else {}
