"""kubesphere.io/v1alpha1: finding, choosing and installing extensions.

Repository (where packages come from), Category, Extension, ExtensionVersion, InstallPlan (what should be installed)
and the seed's Subscription, a facade of the InstallPlan. The seed also printed APIService, JSBundle and ReverseProxy in
this group; they are the same models as in `extensions_v1alpha1`. Facts: reference/kubesphere-core.md 2.2, 2.3, 2.8. All
kinds are cluster-scoped. Their models are in `kubesphere_repository`, `kubesphere_catalogue` and
`kubesphere_installplan`.
"""

from typing import Final

from dovetail.apis import extensions_v1alpha1 as extensions
from dovetail.apis.kind import AGE, STATE, Column, Kind
from dovetail.apis.kubesphere_catalogue import Category, Extension, ExtensionVersion
from dovetail.apis.kubesphere_installplan import InstallPlan, Subscription
from dovetail.apis.kubesphere_repository import Repository
from dovetail.apis.resource_name import ResourceName

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

_CATEGORY = Column("Category", r".metadata.labels.kubesphere\.io/category")
_EXTENSION = Column("Extension", r".metadata.labels.kubesphere\.io/extension-ref")
_PLAN_COLUMNS = (
    Column("Extension", ".spec.extension.name"),
    Column("Version", ".spec.extension.version"),
    Column("Enabled", ".spec.enabled", "boolean"),
    STATE,
    Column("Installed", ".status.version"),
    Column("Percent", ".status.progress.percent", "integer"),
    Column("Reason", ".status.reason"),
    Column("Step", ".status.progress.step", priority=1),
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
            Column("Versions", ".status.versions", "integer"),
            Column("Last Success", ".status.lastSuccessTime", "date"),
            Column("Reason", ".status.conditions[?(@.type=='Synced')].reason"),
            Column("Message", ".status.conditions[?(@.type=='Synced')].message", priority=1),
            Column("Priority", ".spec.priority", "integer", priority=1),
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
            Column("Deprecated", ".spec.deprecated", "boolean"),
            Column("Channel", ".spec.channel", priority=1),
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
