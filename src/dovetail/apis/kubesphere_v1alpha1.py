"""kubesphere.io/v1alpha1: finding, choosing and installing extensions.

Repository (where packages come from), Category, Extension, ExtensionVersion, InstallPlan (what should be installed)
and the seed's Subscription, a facade of the InstallPlan. The seed also printed APIService, JSBundle and ReverseProxy in
this group; they are the same models as in `extensions_v1alpha1`. Facts: reference/kubesphere-core.md 2.2, 2.3, 2.8. All
kinds are cluster-scoped.
"""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Any, Final, Literal

import msgspec

from dovetail.apis import extensions_v1alpha1 as extensions
from dovetail.apis.kind import AGE, STATE, Column, Kind
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.wire import (
    Conditions,
    Count,
    Duration,
    LabelSelector,
    Locales,
    ObjectMeta,
    Time,
    Wire,
    about,
    several_shapes,
)

GROUP: Final = "kubesphere.io"
VERSION: Final = "v1alpha1"

REPOSITORIES: Final = ResourceName(GROUP, VERSION, "repositories", "Repository")
CATEGORIES: Final = ResourceName(GROUP, VERSION, "categories", "Category")
EXTENSIONS: Final = ResourceName(GROUP, VERSION, "extensions", "Extension")
EXTENSIONVERSIONS: Final = ResourceName(GROUP, VERSION, "extensionversions", "ExtensionVersion")
INSTALLPLANS: Final = ResourceName(GROUP, VERSION, "installplans", "InstallPlan")
SUBSCRIPTIONS: Final = ResourceName(GROUP, VERSION, "subscriptions", "Subscription")
SEED_APISERVICES: Final = ResourceName(GROUP, VERSION, "apiservices", "APIService")
SEED_JSBUNDLES: Final = ResourceName(GROUP, VERSION, "jsbundles", "JSBundle")
SEED_REVERSEPROXIES: Final = ResourceName(GROUP, VERSION, "reverseproxies", "ReverseProxy")


class CategorySpec(Wire, frozen=True, kw_only=True):
    """How the category is shown."""

    display_name: Locales = ""
    description: Locales = ""
    icon: Annotated[str, about("A data URI or an address.")] = ""


class CategoryStatus(Wire, frozen=True, kw_only=True):
    """What is known of the category."""

    conditions: Conditions = []


class Category(Wire, frozen=True, kw_only=True):
    """Category is a shelf on which extensions are shown."""

    metadata: ObjectMeta
    spec: CategorySpec
    status: CategoryStatus | None = None


class BasicAuth(Wire, frozen=True, kw_only=True):
    """A name and a password, kept in the object: prefer a repository that needs none."""

    username: str = ""
    password: str = ""


class RegistryPoll(Wire, frozen=True, kw_only=True):
    """How often the repository is read again."""

    interval: Annotated[Duration, about("At least `10s`; `15m` when absent.")] = ""


class UpdateStrategy(Wire, frozen=True, kw_only=True):
    """When and how long to synchronise."""

    registry_poll: RegistryPoll | None = None
    timeout: Annotated[Duration, about("Longest time for a whole synchronisation; `2m` when absent.")] = ""


class RepositorySpec(Wire, frozen=True, kw_only=True):
    """Where packages come from: a Helm index over HTTP, or the seed's image that serves one."""

    url: Annotated[str, about("Address of a Helm repository (`<url>/index.yaml`), `oci://` or `s3://`.")] = ""
    image: Annotated[str, about("The seed's form: an image that serves a Helm repository, run in the cluster.")] = ""
    display_name: Locales = ""
    description: Locales = ""
    publisher: Annotated[str, about("Who answers for the repository.")] = ""
    basic_auth: BasicAuth | None = None
    ca_bundle: Annotated[str, about("Certificates to verify the repository with: PEM, or base64 of PEM.")] = ""
    insecure: Annotated[bool, about("Do not verify the repository's certificate.")] = False
    depth: Annotated[int, about("Newest versions kept of each extension; 3 when absent, 0 for all.")] | None = None
    update_strategy: UpdateStrategy | None = None


class RepositoryFailure(Wire, frozen=True, kw_only=True):
    """A package of the index that could not be used."""

    name: str
    version: str = ""
    message: str = ""


class RepositoryStatus(Wire, frozen=True, kw_only=True):
    """What the last synchronisation found."""

    state: Annotated[str, about("Synced, Syncing or Failed.")] = ""
    last_sync_time: Annotated[Time, about("Clear it to synchronise now.")] | None = None
    index_digest: Annotated[str, about("sha256 of the index in force.")] = ""
    extensions: Count | None = None
    versions: Count | None = None
    failures: list[RepositoryFailure] = []
    observed_generation: Count | None = None
    conditions: Conditions = []


class Repository(Wire, frozen=True, kw_only=True):
    """Repository is a source of extension packages."""

    metadata: ObjectMeta
    spec: RepositorySpec
    status: RepositoryStatus | None = None


class Provider(Wire, frozen=True, kw_only=True):
    """Who provides or maintains an extension."""

    name: str = ""
    url: str = ""
    email: str = ""


class ExtensionInfo(Wire, frozen=True, kw_only=True):
    """How an extension presents itself."""

    display_name: Locales = ""
    description: Locales = ""
    icon: Annotated[str, about("A data URI or an address.")] = ""
    provider: Annotated[dict[str, Provider], about("Who provides it, by language code.")] = {}
    maintainers: Annotated[list[Provider], about("Who maintains it.")] = []
    created: Time | None = None


class VersionInfo(Wire, frozen=True, kw_only=True):
    """A version that can be installed."""

    version: str
    creation_timestamp: Time | None = None
    min_kube_version: str = ""


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


class ExtensionStatus(Wire, frozen=True, kw_only=True):
    """Mirror of the extension's InstallPlan, and the versions there are. Both spellings of the seed are kept too."""

    state: str = ""
    enabled: bool | None = None
    planned_install_version: str = ""
    installed_version: str = ""
    subscribed_version: Annotated[str, about("The seed's spelling of installedVersion.")] = ""
    recommended_version: Annotated[str, about("Highest version that fits this platform.")] = ""
    recommend_version: Annotated[str, about("The seed's spelling of recommendedVersion.")] = ""
    versions: list[VersionInfo] = []
    observed_generation: Count | None = None
    conditions: Conditions = []
    cluster_scheduling_statuses: ClusterStatuses = {}


class Extension(Wire, frozen=True, kw_only=True):
    """Extension is an extension that the platform knows, in all its versions."""

    metadata: ObjectMeta
    spec: ExtensionInfo
    status: ExtensionStatus | None = None


class DataReference(Wire, frozen=True, kw_only=True):
    """A key of a ConfigMap that holds the package."""

    namespace: str = ""
    name: str = ""
    key: str = ""


class ExternalDependency(Wire, frozen=True, kw_only=True):
    """Another extension that this one needs."""

    name: str
    type: str = ""
    version: Annotated[str, about("A semantic version constraint.")] = ""
    required: bool = False


class ExtensionVersionSpec(ExtensionInfo, frozen=True, kw_only=True):
    """What is known of one version: the package's metadata, and where the package is."""

    version: str = ""
    keywords: list[str] = []
    sources: Annotated[str | list[str], several_shapes("Addresses of the sources: a list, or one string.")] = ""
    repository: Annotated[str, about("Name of the Repository it came from.")] = ""
    repo: Annotated[str, about("The seed's spelling of repository.")] = ""
    category: str = ""
    kube_version: Annotated[str, about("Constraint on the version of Kubernetes.")] = ""
    min_kube_version: Annotated[str, about("The seed's form: `1.17.0` means kubeVersion `>=1.17.0`.")] = ""
    ks_version: Annotated[str, about("Constraint on the version of the platform.")] = ""
    home: str = ""
    docs: str = ""
    digest: Annotated[str, about("sha256 of the package, in hexadecimal.")] = ""
    screenshots: list[str] = []
    chart_data_ref: DataReference | None = None
    chart_url: Annotated[str, about("Address of the package.")] = msgspec.field(default="", name="chartURL")
    namespace: Annotated[str, about("Namespace to install into; `extension-<name>` when absent.")] = ""
    installation_mode: Literal["HostOnly", "Multicluster"] | None = None
    external_dependencies: list[ExternalDependency] = []


class ExtensionVersionStatus(Wire, frozen=True, kw_only=True):
    """What is known of the version."""

    state: str = ""
    observed_generation: Count | None = None
    conditions: Conditions = []


class ExtensionVersion(Wire, frozen=True, kw_only=True):
    """ExtensionVersion is one version of an extension; its name is `<extension>-<version>`."""

    metadata: ObjectMeta
    spec: ExtensionVersionSpec
    status: ExtensionVersionStatus | None = None


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


_CATEGORY = Column("Category", r".metadata.labels.kubesphere\.io/category")
_EXTENSION = Column("Extension", r".metadata.labels.kubesphere\.io/extension-ref")
_PLAN_COLUMNS = (
    Column("Extension", ".spec.extension.name"),
    Column("Version", ".spec.extension.version"),
    Column("Enabled", ".spec.enabled", "boolean"),
    STATE,
    Column("Installed", ".status.version"),
    Column("Namespace", ".status.targetNamespace", priority=1),
    AGE,
)

KINDS: Final = (
    Kind(
        REPOSITORIES,
        Repository,
        ("extrepo",),
        (
            Column("URL", ".spec.url"),
            Column("Image", ".spec.image", priority=1),
            STATE,
            Column("Extensions", ".status.extensions", "integer"),
            Column("Last Sync", ".status.lastSyncTime", "date"),
            AGE,
        ),
    ),
    Kind(CATEGORIES, Category, ("extcat",), (Column("Extensions", r".metadata.annotations.kubesphere\.io/count"), AGE)),
    Kind(
        EXTENSIONS,
        Extension,
        ("ext",),
        (
            _CATEGORY,
            STATE,
            Column("Enabled", ".status.enabled", "boolean"),
            Column("Installed", ".status.installedVersion"),
            Column("Recommended", ".status.recommendedVersion"),
            Column("Repository", r".metadata.labels.kubesphere\.io/repository-ref", priority=1),
            Column("Display Name", ".spec.displayName.en", priority=1),
            AGE,
        ),
    ),
    Kind(
        EXTENSIONVERSIONS,
        ExtensionVersion,
        ("extver",),
        (
            _EXTENSION,
            Column("Version", ".spec.version"),
            Column("Repository", ".spec.repository"),
            Column("Mode", ".spec.installationMode"),
            Column("Kubernetes", ".spec.kubeVersion", priority=1),
            Column("Platform", ".spec.ksVersion", priority=1),
            AGE,
        ),
    ),
    Kind(INSTALLPLANS, InstallPlan, ("iplan",), _PLAN_COLUMNS),
    Kind(SUBSCRIPTIONS, Subscription, (), _PLAN_COLUMNS),
    Kind(SEED_APISERVICES, extensions.APIService, (), extensions.APISERVICE_COLUMNS),
    Kind(SEED_JSBUNDLES, extensions.JSBundle, (), extensions.JSBUNDLE_COLUMNS),
    Kind(SEED_REVERSEPROXIES, extensions.ReverseProxy, (), extensions.REVERSEPROXY_COLUMNS),
)
