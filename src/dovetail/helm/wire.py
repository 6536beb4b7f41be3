"""What passes between the controllers and the helm worker.

Frames on the worker's stdin and stdout: four bytes of length, big-endian, then msgpack. To the worker go `Call` and
`Cancel`; from it come `Answer`, `Refusal` (both once for each call, in any order), `Progress` and `Log`. Values only:
no process and no Helm here, so that both ends can import it cheaply.

A `Connection` names a kubeconfig file; credentials stay in that file and in the worker's memory. Nothing of it
appears in argv or in the environment.
"""

import struct
from typing import Any, Final, cast

import msgspec

LENGTH: Final = struct.Struct(">I")
MAX_FRAME: Final = 256 << 20


class Connection(msgspec.Struct, frozen=True):
    """How Helm reaches a cluster, as whom, and where the release lives."""

    namespace: str
    kubeconfig: str | None = None
    """Path; None means the in-cluster account."""
    context: str | None = None
    user: str | None = None
    """Impersonated; None acts as the kubeconfig's own user."""
    groups: tuple[str, ...] = ()
    """Of the user who is impersonated."""


class Values(msgspec.Struct, frozen=True):
    """`config` is the user's YAML; `overrides` wins over it, maps merged and everything else replaced (like --set).

    In between, for command lines: `files`, more YAML, and `sets`, assignments as (flag, text): ("set", "a.b=c"),
    ("set-string", ...), ("set-json", ...), ("set-literal", ...).
    """

    config: str = ""
    overrides: dict[str, Any] = {}
    files: tuple[str, ...] = ()
    sets: tuple[tuple[str, str], ...] = ()


class Rendering(msgspec.Struct, frozen=True):
    """What Render answers: the labelled text of every template by its path, and `crds/` as (path, text).

    `revision` is the one that the text was rendered for.
    """

    metadata: dict[str, Any]
    values: dict[str, Any]
    manifests: dict[str, str]
    crds: tuple[tuple[str, str], ...] = ()
    revision: int = 1


class Render(msgspec.Struct, frozen=True, tag=True):
    """Render a package: the labelled text of every template. Without a connection nothing is contacted.

    `revision` 0 means the release's next one, which only a connection can tell.

    `kube_version` (`1.29` or `v1.29.3`) and `api_versions` (`group/version` or `group/version/Kind`) are what the
    templates are told of the cluster; empty leaves it to Helm, which speaks of its own newest version.
    """

    release: str
    chart: bytes
    namespace: str
    values: Values = Values()
    object_labels: dict[str, str] = {}
    connection: Connection | None = None
    revision: int = 1
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


class Deploy(msgspec.Struct, frozen=True, tag=True):
    """Install, or upgrade where the release exists. `timeout` in seconds is Helm's, for each hook.

    With a `rendering` exactly that is installed and `chart` is not read; it is refused as Stale when the release has
    another revision by now than it was rendered for.

    `wait` also waits until workloads are ready. `release_labels` are stored on the release's record. `kube_version` and
    `api_versions` as in Render.
    """

    release: str
    chart: bytes
    connection: Connection
    rendering: Rendering | None = None
    values: Values = Values()
    object_labels: dict[str, str] = {}
    release_labels: dict[str, str] = {}
    wait: bool = False
    rollback_on_failure: bool = False
    timeout: int = 300
    max_history: int = 5
    description: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    skip_crds: bool = False
    """Leave `crds/` alone: the caller sees to them."""


class Rollback(msgspec.Struct, frozen=True, tag=True):
    """Make an earlier revision the newest again, from what Helm stored of it."""

    release: str
    revision: int
    connection: Connection
    wait: bool = False
    timeout: int = 300


class Uninstall(msgspec.Struct, frozen=True, tag=True):
    """Remove a release and its record; a release that is not there is fine."""

    release: str
    connection: Connection
    wait: bool = False
    timeout: int = 300


class RunTests(msgspec.Struct, frozen=True, tag=True):
    """Run the test hooks of a release that is deployed; `timeout` in seconds for each of them."""

    release: str
    connection: Connection
    timeout: int = 300


class Status(msgspec.Struct, frozen=True, tag=True):
    release: str
    connection: Connection


class History(msgspec.Struct, frozen=True, tag=True):
    release: str
    connection: Connection


class ListReleases(msgspec.Struct, frozen=True, tag=True):
    """All releases of the connection's namespace, in every state."""

    connection: Connection
    release: str = ""


class ShowChart(msgspec.Struct, frozen=True, tag=True):
    """Chart.yaml and default values of a package."""

    chart: bytes
    release: str = ""


class Verify(msgspec.Struct, frozen=True, tag=True):
    """Whether an archive was signed by a key of a keyring (OpenPGP, binary or armoured), as `helm verify` says.

    `file` is the archive's name, which the signature is about.
    """

    file: str
    archive: bytes
    provenance: bytes
    keyring: bytes
    release: str = ""


Operation = Verify | Render | Deploy | Rollback | RunTests | Uninstall | Status | History | ListReleases | ShowChart


class Call(msgspec.Struct, frozen=True, tag=True):
    id: int
    operation: Operation


class Cancel(msgspec.Struct, frozen=True, tag=True):
    id: int


class Answer(msgspec.Struct, frozen=True, tag=True):
    id: int
    result: dict[str, Any]


class Refusal(msgspec.Struct, frozen=True, tag=True):
    id: int
    reason: str
    detail: str


class Progress(msgspec.Struct, frozen=True, tag=True):
    """A call reached a step. `kind`, `namespace` and `name` of the object that it is about, if it is about one.

    Steps of ours: "rendering", "installing", "upgrading", "rolling back", "testing", "uninstalling". Of Helm's, read
    from its log (`log_lines`): "applying" (`count` objects), "waiting", "deleting".
    """

    id: int
    step: str
    kind: str = ""
    namespace: str = ""
    name: str = ""
    count: int = 0


class Log(msgspec.Struct, frozen=True, tag=True):
    """A line of Helm's own log. `level` is Python's."""

    level: int
    message: str


ToWorker = Call | Cancel
FromWorker = Answer | Refusal | Progress | Log

_encoder = msgspec.msgpack.Encoder()
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)


def frame(message: ToWorker | FromWorker) -> bytes:
    """The message with its length in front."""
    try:
        body = _encoder.encode(message)
    except OverflowError:  # values may hold larger integers than msgpack; to Helm they are floats in any case
        body = _encoder.encode(_within_64_bits(msgspec.to_builtins(message, builtin_types=(bytes,))))
    return LENGTH.pack(len(body)) + body


def _within_64_bits(value: Any) -> Any:
    """Plain values, with floats for the integers that do not fit."""
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return float(value)
    if isinstance(value, dict):
        return {key: _within_64_bits(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_within_64_bits(item) for item in cast("list[Any]", value)]
    return value


def parse_to_worker(body: bytes) -> ToWorker:
    """Raises msgspec.DecodeError."""
    return _to_worker.decode(body)


def parse_from_worker(body: bytes) -> FromWorker:
    """Raises msgspec.DecodeError."""
    return _from_worker.decode(body)


def operation_name(operation: Operation) -> str:
    """As a user would say it: "deploy", "uninstall"."""
    return type(operation).__name__.lower()
