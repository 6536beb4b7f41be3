"""kubeconfig files read into a `ClusterConfig`.

Several files merge as kubectl merges them: the first that names a cluster, user, context or `current-context` wins.
Relative paths count from the file that holds them. What Kubernetes itself no longer supports (`auth-provider`) is
refused with the way out instead of being skipped. PyYAML is imported only when a file is not JSON.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from dovetail.kube.config import ClusterConfig, ExecPlugin
from dovetail.kube.errors import ConfigError

MAX_BYTES = 4 * 1024 * 1024
_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A named piece of a kubeconfig, with the file it came from."""

    file: Path
    where: str
    fields: Mapping[str, Any]

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise ConfigError(str(self.file), f"{self.where}.{name} must be a string")
        return value

    def path(self, name: str) -> Path | None:
        value = self.text(name)
        return self.file.parent / value if value else None

    def pem(self, name: str) -> str:
        try:
            return base64.b64decode(self.text(name), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ConfigError(str(self.file), f"{self.where}.{name} is not base64 of PEM text") from error

    def flag(self, name: str) -> bool:
        return self.fields.get(name) is True

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(str(value) for value in cast("list[Any]", self.fields.get(name) or []))


def load(files: Sequence[Path], context: str | None = None) -> ClusterConfig:
    """The configuration of `context`, else of the current one. Raises ConfigError."""
    documents = [(file, _read(file)) for file in files]
    chosen = context or next((str(d["current-context"]) for _, d in documents if d.get("current-context")), "")
    if not chosen:
        raise ConfigError(str(files[0]), "has no current-context", "name one with `kubectl config use-context`")
    where = _entry(documents, "contexts", "context", chosen)
    cluster = _entry(documents, "clusters", "cluster", where.text("cluster"))
    user = _entry(documents, "users", "user", where.text("user")) if where.text("user") else None
    return _config(where, cluster, user or _Entry(where.file, "users", {}))


def _config(context: _Entry, cluster: _Entry, user: _Entry) -> ClusterConfig:
    if "auth-provider" in user.fields:
        raise ConfigError(
            str(user.file), f"{user.where}.auth-provider was removed from Kubernetes", "use an exec plugin"
        )
    extra = cast("Mapping[str, list[str]]", user.fields.get("as-user-extra") or {})
    return ClusterConfig(
        server=_server(cluster),
        source=str(context.file),
        namespace=context.text("namespace") or "default",
        ca_file=cluster.path("certificate-authority"),
        ca_data=cluster.pem("certificate-authority-data"),
        insecure=cluster.flag("insecure-skip-tls-verify"),
        tls_server_name=cluster.text("tls-server-name"),
        proxy_url=cluster.text("proxy-url"),
        client_cert_file=user.path("client-certificate"),
        client_key_file=user.path("client-key"),
        client_cert_data=user.pem("client-certificate-data"),
        client_key_data=user.pem("client-key-data"),
        token=user.text("token"),
        token_file=user.path("tokenFile"),
        username=user.text("username"),
        password=user.text("password"),
        exec=_exec(user, cluster),
        impersonate_user=user.text("as"),
        impersonate_uid=user.text("as-uid"),
        impersonate_groups=user.texts("as-groups"),
        impersonate_extra=tuple((key, tuple(values)) for key, values in extra.items()),
    )


def _server(cluster: _Entry) -> str:
    server = cluster.text("server").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise ConfigError(str(cluster.file), f"{cluster.where}.server is {server!r}", "write https://host:port")
    return server


def _exec(user: _Entry, cluster: _Entry) -> ExecPlugin | None:
    if "exec" not in user.fields:
        return None
    spec = _Entry(user.file, f"{user.where}.exec", _mapping(user.fields["exec"], user.file, f"{user.where}.exec"))
    version = spec.text("apiVersion")
    if version not in _EXEC_VERSIONS:
        known = " or ".join(_EXEC_VERSIONS)
        raise ConfigError(str(user.file), f"{spec.where}.apiVersion is {version!r}", f"update the plugin to {known}")
    command = spec.text("command")
    if not command:
        raise ConfigError(str(user.file), f"{spec.where}.command is missing")
    if "/" in command:
        command = str(user.file.parent / command)
    env = cast("list[Mapping[str, Any]]", spec.fields.get("env") or [])
    return ExecPlugin(
        api_version=version,
        command=command,
        args=spec.texts("args"),
        env=tuple((str(variable["name"]), str(variable["value"])) for variable in env),
        install_hint=spec.text("installHint"),
        cluster=_exec_cluster(cluster) if spec.flag("provideClusterInfo") else None,
    )


def _exec_cluster(cluster: _Entry) -> Mapping[str, object]:
    passed_on = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    return {name: cluster.fields[name] for name in passed_on if name in cluster.fields}


def _read(file: Path) -> Mapping[str, Any]:
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise ConfigError(str(file), problem, "check --kubeconfig and $KUBECONFIG") from error
    if len(text) > MAX_BYTES:
        raise ConfigError(str(file), f"is larger than {MAX_BYTES} bytes, so it is not a kubeconfig")
    return _mapping(_parse(file, text), file, "the file")


def _parse(file: Path, text: bytes) -> object:
    if text.lstrip().startswith(b"{"):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass  # YAML's flow style looks like JSON, too
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(str(file), "is not YAML", "give a kubeconfig file") from error


def _entry(documents: Sequence[tuple[Path, Mapping[str, Any]]], section: str, kind: str, name: str) -> _Entry:
    for file, document in documents:
        for item in cast("list[Any]", document.get(section) or []):
            fields = _mapping(item, file, section)
            if fields.get("name") == name:
                where = f"{section}[{name}]"
                return _Entry(file, where, _mapping(fields.get(kind) or {}, file, where))
    files = ", ".join(str(file) for file, _ in documents)
    raise ConfigError(files, f"{section} has no entry named {name!r}", "choose one that `kubectl config view` shows")


def _mapping(value: object, file: Path, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(str(file), f"{where} is not a mapping", "give a kubeconfig file")
    return cast("Mapping[str, Any]", value)
