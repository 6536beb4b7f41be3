"""Whether what is about to be done is what was approved.

An InstallPlan carries the hash of the plan that somebody looked at (`spec.approval.planHash`). Right before anything is
prepared the plan is made once more; if its hash is another one, nothing is done, and the parts that moved are named.
Once an attempt of the same inputs was begun, part of the change is in the cluster already: from then on the inputs must
be the approved ones, not the change that is left. What Helm gets afterwards must be the rendering of the plan
(`expecting.fits`).
"""

from typing import TYPE_CHECKING

from dovetail.helm import HelmWorker
from dovetail.kube import Client
from dovetail.lifecycle.errors import PlanStale
from dovetail.lifecycle.facts import Desired
from dovetail.lifecycle.packages import Fetched, PackageSource
from dovetail.lifecycle.settings import LifecycleSettings

if TYPE_CHECKING:
    from dovetail.helm.expecting import Expected  # reads YAML: loaded when there is an approval


class Approvals:
    """Holds approvals against what would be done now."""

    def __init__(self, client: Client, helm: HelmWorker, packages: PackageSource, settings: LifecycleSettings) -> None:
        self._client = client
        self._helm = helm
        self._packages = packages
        self._settings = settings

    async def check(self, desired: Desired, config: str, approved: str, fetched: Fetched) -> "Expected | None":
        """The rendering that is approved; None when nothing was (`approved` is empty).

        Raises PlanStale, KubeError, HelmError.
        """
        if not approved:
            return None
        # Only plans with an approval need any of this.
        from dovetail.lifecycle.preview.gathering import Asked
        from dovetail.lifecycle.preview.hashing import moved, same_inputs
        from dovetail.lifecycle.preview.previewing import Asker, Previewer

        asker = Asker("the platform")
        previewer = Previewer(self._client, self._client, self._helm, self._packages, self._settings, asker)
        asked = Asked(desired.extension, desired.version, config, desired.namespace)
        preview = await previewer.preview(asked, fetched, tries=False)
        if preview.expected is None:
            raise PlanStale(desired.extension, desired.version, ["what the templates render to"])
        begun = preview.target == desired.target
        if approved != preview.plan.hash and not (begun and same_inputs(approved, preview.plan.hash)):
            raise PlanStale(desired.extension, desired.version, moved(approved, preview.plan.hash))
        return preview.expected
