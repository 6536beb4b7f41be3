"""InstallPlan and its facade Subscription on the wire: what should be installed, and what is.

Facts: reference/kubesphere-core.md 2.2, 2.3, 2.8.
"""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Any, Literal

from dovetail.apis.wire import Conditions, Count, LabelSelector, ObjectMeta, Time, Wire, about, several_shapes


class TransitionRecord(Wire, frozen=True, kw_only=True):
    """A state and since when."""

    state: str
    last_transition_time: Time | None = None


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


class InstallPlanStatus(InstallationStatus, frozen=True, kw_only=True):
    """The release in this cluster, and those in member clusters."""

    enabled: bool | None = None
    observed_generation: Count | None = None
    operation: Annotated[
        dict[str, Any], about("The attempt in progress, owned by the controller.", schema={"type": "object"})
    ] = {}
    cluster_scheduling_statuses: ClusterStatuses = {}


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
