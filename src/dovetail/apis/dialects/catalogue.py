"""Category, Repository, Extension, ExtensionVersion, ExtensionEntry: what there is to install, and where it is from."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from dovetail.apis import labels
from dovetail.apis.dialects.certificates import read_ca_bundle
from dovetail.apis.dialects.meta import Meta, State, open_object, read_state
from dovetail.apis.dialects.reading import Fields, Foreign, finish

DEFAULT_POLL: Final = 900.0
SHORTEST_POLL: Final = 10.0
DEFAULT_SYNC_TIMEOUT: Final = 120.0
DEFAULT_DEPTH: Final = 3
_SCHEMES: Final = ("http://", "https://", "oci://", "file:///", "s3://")
_VERSION_SUFFIX: Final = re.compile(r"-v?[0-9]+\.[0-9]+.*$")


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """A shelf."""

    meta: Meta
    display_name: dict[str, str]
    description: dict[str, str]
    icon: str = ""


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A source of packages: a Helm repository at `url`, or one that `image` serves. Times are in seconds."""

    meta: Meta
    url: str = ""
    image: str = ""
    display_name: dict[str, str]
    description: dict[str, str]
    publisher: str = ""
    username: str = ""
    password: str = ""
    secret: str = ""
    """The Secret with the user name and the password."""
    keyring: str = ""
    """The Secret with the keys that packages must be signed with; empty when they need no signature."""
    priority: int = 0
    ca_pem: str = ""
    insecure: bool = False
    depth: int = DEFAULT_DEPTH
    interval: float = DEFAULT_POLL
    timeout: float = DEFAULT_SYNC_TIMEOUT
    last_sync_time: str = ""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A provider or maintainer."""

    name: str = ""
    url: str = ""
    email: str = ""


class ExtensionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How an extension presents itself."""

    display_name: dict[str, str]
    description: dict[str, str]
    icon: str = ""
    provider: dict[str, Person]
    maintainers: tuple[Person, ...] = ()
    created: str = ""


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """An extension. `category` and `repository` come from its labels, either spelling."""

    meta: Meta
    info: ExtensionInfo
    category: str = ""
    repository: str = ""
    state: str = ""
    installed_version: str = ""
    recommended_version: str = ""


class DataRef(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a ConfigMap that holds the package."""

    namespace: str
    name: str
    key: str


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """Another extension that this one needs."""

    name: str
    type: str = "extension"
    version: str = ""
    required: bool = False


class ExtensionVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of `extension`. Constraints are semantic version ranges, empty for any."""

    meta: Meta
    extension: str
    version: str = ""
    info: ExtensionInfo
    keywords: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    repository: str = ""
    category: str = ""
    kube_version: str = ""
    ks_version: str = ""
    home: str = ""
    docs: str = ""
    digest: str = ""
    screenshots: tuple[str, ...] = ()
    chart_data_ref: DataRef | None = None
    chart_url: str = ""
    namespace: str = ""
    deprecated: bool = False
    channel: str = ""
    installation_mode: str = "HostOnly"
    external_dependencies: tuple[Dependency, ...] = ()


class ExtensionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Menu entries; each is a plain map with a `name`."""

    meta: Meta
    entries: tuple[dict[str, Any], ...] = ()
    status: State = State()


def category(obj: Foreign) -> Category:
    """Read a Category. Raises InvalidObject."""
    opened = open_object(obj, "Category")
    spec = opened.spec
    model = Category(
        meta=opened.meta,
        display_name=spec.locales("displayName"),
        description=spec.locales("description"),
        icon=spec.text("icon"),
    )
    return finish(model, "Category", opened.meta.name, opened.errors)


def repository(obj: Foreign) -> Repository:
    """Read a Repository of either form. Raises InvalidObject."""
    opened = open_object(obj, "Repository")
    spec = opened.spec
    url, image, auth, strategy = (
        spec.text("url"),
        spec.text("image"),
        spec.child("basicAuth"),
        spec.child("updateStrategy"),
    )
    verification = spec.child("verification")
    keyring = verification.child("keyringSecretRef").text("name")
    if verification.present and not keyring:
        spec.fail("verification.keyringSecretRef.name", "is needed: the Secret with the keys that are trusted")
    if "@" in url.partition("://")[2].partition("/")[0]:
        spec.fail("url", "must not hold a password; put it into a Secret and name that in basicAuth.secretRef")
    if url and not url.startswith(_SCHEMES):
        spec.fail("url", f"must start with one of {', '.join(_SCHEMES)}")
    model = Repository(
        meta=opened.meta,
        url=url,
        image=image,
        display_name=spec.locales("displayName"),
        description=spec.locales("description"),
        publisher=spec.text("publisher"),
        username=auth.text("username"),
        password=auth.text("password"),
        secret=auth.child("secretRef").text("name"),
        keyring=keyring,
        priority=spec.number("priority", low=-1_000_000, high=1_000_000, default=0) or 0,
        ca_pem=read_ca_bundle(spec, "caBundle")[0],
        insecure=spec.flag("insecure"),
        depth=spec.number("depth", low=0, high=10_000, default=DEFAULT_DEPTH) or 0,
        interval=strategy.child("registryPoll").seconds("interval", DEFAULT_POLL, low=SHORTEST_POLL),
        timeout=strategy.seconds("timeout", DEFAULT_SYNC_TIMEOUT) or DEFAULT_SYNC_TIMEOUT,
        last_sync_time=opened.status.text("lastSyncTime"),
    )
    return finish(model, "Repository", opened.meta.name, opened.errors)


def extension(obj: Foreign) -> Extension:
    """Read an Extension of either form. Raises InvalidObject."""
    opened = open_object(obj, "Extension")
    marks, status = opened.meta.labels, opened.status
    state = status.text("state")
    model = Extension(
        meta=opened.meta,
        info=_info(opened.spec),
        category=marks.get(labels.CATEGORY) or marks.get(labels.SEED_CATEGORY, ""),
        repository=marks.get(labels.REPOSITORY_REF, ""),
        state="Installed" if state.lower() == "deployed" else state,
        installed_version=status.text("installedVersion", "subscribedVersion"),
        recommended_version=status.text("recommendedVersion", "recommendVersion"),
    )
    return finish(model, "Extension", opened.meta.name, opened.errors)


def extension_version(obj: Foreign) -> ExtensionVersion:
    """Read an ExtensionVersion of either form. Raises InvalidObject."""
    opened = open_object(obj, "ExtensionVersion")
    spec, meta = opened.spec, opened.meta
    version = spec.text("version")
    model = ExtensionVersion(
        meta=meta,
        extension=meta.labels.get(labels.EXTENSION_REF) or _extension_in_name(meta.name, version),
        version=version,
        info=_info(spec),
        keywords=spec.texts("keywords"),
        sources=spec.texts("sources", single=True),
        repository=spec.text("repository", "repo") or meta.labels.get(labels.REPOSITORY_REF, ""),
        category=spec.text("category") or meta.labels.get(labels.CATEGORY, ""),
        kube_version=_kube_version(spec),
        ks_version=spec.text("ksVersion"),
        home=spec.text("home"),
        docs=spec.text("docs"),
        digest=spec.text("digest"),
        screenshots=spec.texts("screenshots"),
        chart_data_ref=_data_ref(spec.child("chartDataRef")),
        chart_url=spec.text("chartURL"),
        namespace=spec.text("namespace"),
        deprecated=spec.flag("deprecated"),
        channel=spec.text("channel"),
        installation_mode=spec.choice("installationMode", ("HostOnly", "Multicluster"), "HostOnly"),
        external_dependencies=tuple(_dependency(entry) for entry in spec.children("externalDependencies")),
    )
    return finish(model, "ExtensionVersion", meta.name, opened.errors)


def extension_entry(obj: Foreign) -> ExtensionEntry:
    """Read an ExtensionEntry. Raises InvalidObject."""
    opened = open_object(obj, "ExtensionEntry")
    for entry in opened.spec.children("entries"):
        if not entry.text("name"):
            entry.fail("name", "is needed, and unique")
    entries = opened.spec.plain("entries", default=[])
    empty = ExtensionEntry(meta=opened.meta, status=read_state(opened.status))
    model = finish(empty, "ExtensionEntry", opened.meta.name, opened.errors)
    return msgspec.structs.replace(model, entries=tuple(entries))


def _info(spec: Fields) -> ExtensionInfo:
    provider, told = spec.child("provider"), spec.raw("provider")
    languages = [str(code) for code in cast("Mapping[str, object]", told)] if isinstance(told, Mapping) else []
    return ExtensionInfo(
        display_name=spec.locales("displayName"),
        description=spec.locales("description"),
        icon=spec.text("icon"),
        provider={code: _person(provider.child(code)) for code in languages},
        maintainers=tuple(_person(entry) for entry in spec.children("maintainers")),
        created=spec.text("created"),
    )


def _person(fields: Fields) -> Person:
    return Person(name=fields.text("name"), url=fields.text("url"), email=fields.text("email"))


def _extension_in_name(name: str, version: str) -> str:
    """`devops` in `devops-0.10.0` and in the seed's `devops-v0.10.1`."""
    if version and name.endswith(f"-{version}"):
        return name.removesuffix(f"-{version}")
    return _VERSION_SUFFIX.sub("", name)


def _kube_version(spec: Fields) -> str:
    """kubeVersion as it is; the seed's minKubeVersion `1.17.0` as `>=1.17.0`."""
    if constraint := spec.text("kubeVersion"):
        return constraint
    minimum = spec.text("minKubeVersion")
    return f">={minimum.removeprefix('v')}" if minimum else ""


def _data_ref(fields: Fields) -> DataRef | None:
    if not fields.present:
        return None
    for name in ("name", "key"):
        if not fields.text(name):
            fields.fail(name, "is needed")
    return DataRef(
        namespace=fields.text("namespace", default=labels.SYSTEM_NAMESPACE),
        name=fields.text("name"),
        key=fields.text("key"),
    )


def _dependency(fields: Fields) -> Dependency:
    if not fields.text("name"):
        fields.fail("name", "is needed: the extension that is depended on")
    return Dependency(
        name=fields.text("name"),
        type=fields.text("type") or "extension",
        version=fields.text("version"),
        required=fields.flag("required"),
    )
