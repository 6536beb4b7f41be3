"""Category, Extension and ExtensionVersion on the wire: what there is to install (reference/kubesphere-core.md 2.2)."""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Literal

import msgspec

from dovetail.apis.kubesphere_installplan import ClusterStatuses
from dovetail.apis.wire import Conditions, Count, Locales, ObjectMeta, Time, Wire, about, several_shapes


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
    channel: Annotated[str, about("rc, beta or alpha; absent for stable.")] = ""
    deprecated: bool = False


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
    deprecated: Annotated[bool, about("Its author advises against it; it is recommended only if nothing else is.")] = (
        False
    )
    channel: Annotated[str, about("stable, rc, beta, alpha: how ready it is.")] = ""
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
