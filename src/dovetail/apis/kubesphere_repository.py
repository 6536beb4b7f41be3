"""Repository on the wire: where packages come from (reference/kubesphere-core.md 2.2)."""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated

from dovetail.apis.wire import Conditions, Count, Duration, Locales, ObjectMeta, Time, Wire, about


class SecretName(Wire, frozen=True, kw_only=True):
    """A Secret in kubesphere-system."""

    name: str


class BasicAuth(Wire, frozen=True, kw_only=True):
    """A name and a password: in a Secret, or (as published) in the object, where everybody who reads it sees them."""

    username: str = ""
    password: str = ""
    secret_ref: Annotated[
        SecretName | None, about("Its keys `username` and `password`; they win over those in the object.")
    ] = None


class Verification(Wire, frozen=True, kw_only=True):
    """Packages must be signed (`helm package --sign`): a .prov file beside each, by a key of the keyring."""

    keyring_secret_ref: Annotated[SecretName, about("Public keys as `gpg --export` writes them, one or more keys.")]


class RegistryPoll(Wire, frozen=True, kw_only=True):
    """How often the repository is read again."""

    interval: Annotated[Duration, about("At least `10s`; `15m` when absent.")] = ""


class UpdateStrategy(Wire, frozen=True, kw_only=True):
    """When and how long to synchronise."""

    registry_poll: RegistryPoll | None = None
    timeout: Annotated[Duration, about("Longest time for a whole synchronisation; `2m` when absent.")] = ""


class RepositorySpec(Wire, frozen=True, kw_only=True):
    """Where packages come from: a Helm index over HTTP, or the seed's image that serves one."""

    url: Annotated[
        str, about("A Helm repository (`<url>/index.yaml`), `oci://HOST/PATH`, or `file:///DIRECTORY` where allowed.")
    ] = ""
    image: Annotated[str, about("The seed's form: an image that serves a Helm repository, run in the cluster.")] = ""
    display_name: Locales = ""
    description: Locales = ""
    publisher: Annotated[str, about("Who answers for the repository.")] = ""
    basic_auth: BasicAuth | None = None
    ca_bundle: Annotated[str, about("Certificates to verify the repository with: PEM, or base64 of PEM.")] = ""
    insecure: Annotated[bool, about("Do not verify the repository's certificate.")] = False
    verification: Verification | None = None
    priority: Annotated[
        int, about("Of two repositories with the same extension the higher one gives it.", schema={"default": 0})
    ] = 0
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
    last_sync_time: Annotated[Time, about("The last attempt. Clear it to synchronise now.")] | None = None
    last_success_time: Annotated[Time, about("When the index was last read and carried out.")] | None = None
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
