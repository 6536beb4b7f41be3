"""InstallPlan and its facade Subscription on the wire: what should be installed, and what is.

Facts: reference/kubesphere-core.md 2.2, 2.3, 2.8.
"""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Any, Literal

from dovetail.apis.installplan_policies import Approval, DriftPolicy, MaintenanceWindow, RetryPolicy, TestPolicy
from dovetail.apis.wire import (
    Conditions,
    Count,
    Duration,
    LabelSelector,
    ObjectMeta,
    Time,
    Wire,
    about,
    several_shapes,
)


class TransitionRecord(Wire, frozen=True, kw_only=True):
    """A state and since when."""

    state: str
    last_transition_time: Time | None = None


class OperationRecord(Wire, frozen=True, kw_only=True):
    """What was done once to the release: by whom, when, and how it ended."""

    id: Annotated[str, about("Of the operation; its events carry it, too.")]
    action: Annotated[str, about("Install, Upgrade, Rollback, Configure, Enable, Disable, Heal or Uninstall.")]
    version: Annotated[str, about("The version it led to, or was to lead to.")] = ""
    from_version: Annotated[str, about("The version that was in force before.")] = ""
    requested_by: Annotated[str, about("The user who changed the plan, as the API server told.")] = ""
    started_at: Time | None = None
    finished_at: Time | None = None
    outcome: Annotated[str, about("Running, Succeeded, Failed, Interrupted or Superseded.")] = ""
    attempts: Count | None = None
    revision: Annotated[Count | None, about("The release's revision that came of it.")] = None
    reason: str = ""
    message: str = ""


class Progress(Wire, frozen=True, kw_only=True):
    """How far the operation that runs has come."""

    percent: Annotated[int, about("0 to 100; it never goes back within an attempt.")]
    step: Annotated[str, about("What is being done.")] = ""
    object: Annotated[str, about("The object that is waited for, `Job extension-a/migrate`.")] = ""


class DriftedObject(Wire, frozen=True, kw_only=True):
    """An object of the release that is not what the release says."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str
    what: Annotated[str, about("Missing, Changed, or Foreign: somebody else has made one of its name.")]
    paths: Annotated[list[str], about("The fields that differ, as JSON pointers.")] = []


class InstallationStatus(Wire, frozen=True, kw_only=True):
    """A release of an extension in one cluster."""

    state: Annotated[str, about("Preparing, Installing, Installed, Upgrading, Uninstalling, ...Failed.")] = ""
    config_hash: str = ""
    target_namespace: str = ""
    release_name: str = ""
    version: Annotated[str, about("The version that is in force.")] = ""
    job_name: str = ""
    conditions: Conditions = []
    state_history: list[TransitionRecord] = []
    reason: Annotated[str, about("Why it is not as the spec says, in one word; empty when it is.")] = ""
    enabled: bool | None = None
    observed_generation: Count | None = None
    operation: Annotated[
        dict[str, Any], about("The attempt in progress, owned by the controller.", schema={"type": "object"})
    ] = {}


ClusterStatuses = Annotated[dict[str, InstallationStatus], about("Releases in member clusters, by cluster.")]


class ExtensionReference(Wire, frozen=True, kw_only=True):
    """An extension in one version. Changing the version upgrades, or rolls back."""

    name: str
    version: str


class Placement(Wire, frozen=True, kw_only=True):
    """Which member clusters: named, or selected by label. Names win."""

    clusters: list[str] = []
    cluster_selector: LabelSelector | None = None


class ClusterScheduling(Wire, frozen=True, kw_only=True):
    """Where the extension's agents run, and their values that differ."""

    placement: Placement | None = None
    overrides: Annotated[dict[str, str], about("YAML merged over config, by cluster.")] = {}


Config = Annotated[str | dict[str, Any], several_shapes("Helm values: YAML text, or a map.")]
Enabled = Annotated[bool, about("False takes its API, proxies, bundles and entries away.", schema={"default": True})]
Upgrade = Annotated[
    Literal["Manual", "Automatic"], about("Automatic follows the recommended version.", schema={"default": "Manual"})
]


class InstallPlanSpec(Wire, frozen=True, kw_only=True):
    """What should be installed, and how."""

    extension: ExtensionReference
    enabled: Enabled = True
    upgrade_strategy: Upgrade = "Manual"
    config: Config = ""
    target_namespace: Annotated[str, about("Namespace to install into; the package's own when absent.")] = ""
    cluster_scheduling: ClusterScheduling | None = None
    paused: Annotated[bool, about("Nothing is changed while it is true; a deletion goes on.")] = False
    retry: RetryPolicy | None = None
    on_upgrade_failure: Annotated[
        Literal["Keep", "Rollback"], about("Rollback brings the last good revision back after a failed upgrade.")
    ] = "Keep"
    crds: Annotated[
        Literal["Skip", "Create", "CreateReplace"],
        about("The package's crds/: CreateReplace, the default, also upgrades them, unless that would lose data."),
    ] = "CreateReplace"
    workloads_when_disabled: Annotated[
        Literal["Keep", "ScaleDown"], about("Whether pods run on while the extension is disabled.")
    ] = "Keep"
    hook_timeout: Annotated[Duration, about("The longest time for one hook or test, `5m`.")] = ""
    tests: TestPolicy | None = None
    drift: DriftPolicy | None = None
    maintenance_window: MaintenanceWindow | None = None
    approval: Approval | None = None


class InstallPlanStatus(InstallationStatus, frozen=True, kw_only=True):
    """The release in this cluster, and those in member clusters."""

    cluster_scheduling_statuses: ClusterStatuses = {}
    progress: Progress | None = None
    history: Annotated[list[OperationRecord], about("The last operations, the newest last.")] = []
    drift: Annotated[list[DriftedObject], about("Objects that are not what the release says.")] = []
    receipt: Annotated[str, about("ConfigMap in kubesphere-system that tells what an uninstall removed and kept.")] = ""


class InstallPlan(Wire, frozen=True, kw_only=True):
    """InstallPlan says that an extension is to be installed; its name is the extension's."""

    metadata: ObjectMeta
    spec: InstallPlanSpec
    status: InstallPlanStatus | None = None


class Subscription(Wire, frozen=True, kw_only=True):
    """Subscription is the seed's form of the InstallPlan; the platform keeps an InstallPlan in step with it."""

    metadata: ObjectMeta
    spec: InstallPlanSpec
    status: InstallPlanStatus | None = None
