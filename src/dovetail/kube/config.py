"""How to reach one Kubernetes API: address, trust, credentials, as one frozen value.

`ClusterConfig.load` looks where every Kubernetes client looks: an explicit file, `$KUBECONFIG`, `~/.kube/config`, and
last the service account that a pod carries. Secrets are kept out of `repr`. Files that are named (CA, certificate,
token) are read when they are needed, so that rotated ones count; running exec plugins is `credentials`' business.
"""

import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dovetail.kube.errors import ConfigError

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """A program that prints a credential (client.authentication.k8s.io); `cluster` is passed on if it asks for it."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    install_hint: str = ""
    cluster: Mapping[str, object] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """One cluster as one user. PEM data wins over the file of the same meaning, as in kubeconfig."""

    server: str
    source: str = "settings"
    """Where this came from, for error messages."""
    namespace: str = "default"
    ca_file: Path | None = None
    ca_data: str = field(default="", repr=False)
    insecure: bool = False
    tls_server_name: str = ""
    proxy_url: str = field(default="", repr=False)
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    client_cert_data: str = field(default="", repr=False)
    client_key_data: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    exec: ExecPlugin | None = None
    socket: Path | None = None
    """A Unix socket to connect to instead of the server's address; `server` is plain HTTP then."""
    impersonate_user: str = ""
    impersonate_uid: str = ""
    impersonate_groups: tuple[str, ...] = ()
    impersonate_extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def load(cls, path: Path | None = None, context: str | None = None) -> "ClusterConfig":
        """What `path` says, else `$KUBECONFIG`, else `~/.kube/config`, else the pod. Raises ConfigError."""
        from dovetail.kube import kubeconfig

        files = [path] if path is not None else default_files()
        if files:
            return kubeconfig.load(files, context)
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            return in_cluster()
        raise ConfigError(
            "kubeconfig",
            "none found ($KUBECONFIG is not set, ~/.kube/config does not exist, and this is not a pod)",
            "give one with --kubeconfig, or start the embedded cluster with `dovetail up`",
        )

    def ca_pem(self) -> str:
        """The certificates that sign the server's, as PEM; "" when the system's roots count. Raises ConfigError."""
        if self.ca_data or self.ca_file is None:
            return self.ca_data
        try:
            return self.ca_file.read_text()
        except OSError as error:
            raise ConfigError(self.source, f"the CA file {self.ca_file} cannot be read ({error.strerror})") from error

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS settings for this cluster; None when `server` is plain HTTP. Raises ConfigError."""
        if not self.server.startswith("https://"):
            return None
        context = self._trust()
        self._identify(context)
        return context

    def _trust(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cadata=self.ca_pem() or None)
        except ssl.SSLError as error:
            raise ConfigError(self.source, f"the CA is not a PEM certificate ({error.reason})") from error
        # Go does not ask CAs for the extensions that Python 3.13 asks for, and real clusters' CAs lack them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _identify(self, context: ssl.SSLContext) -> None:
        if not (self.client_cert_data or self.client_cert_file):
            return
        if not (self.client_key_data or self.client_key_file):
            raise ConfigError(self.source, "a client certificate is given without its key", "add client-key")
        try:
            # load_cert_chain only takes files; this directory is 0700 and gone when the block ends.
            with tempfile.TemporaryDirectory(prefix="dovetail-") as scratch:
                cert = _as_file(self.client_cert_data, self.client_cert_file, Path(scratch, "tls.crt"))
                key = _as_file(self.client_key_data, self.client_key_file, Path(scratch, "tls.key"))
                context.load_cert_chain(cert, key)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(self.source, f"the client certificate and key cannot be used ({error})") from error


def in_cluster(directory: Path = SERVICE_ACCOUNT_DIR) -> ClusterConfig:
    """The configuration of the pod this runs in. Raises ConfigError outside of one."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = directory / "token"
    if not host or not token.is_file():
        raise ConfigError("in-cluster configuration", f"no service account at {directory}", "give --kubeconfig")
    host = f"[{host}]" if ":" in host else host
    namespace = directory / "namespace"
    return ClusterConfig(
        server=f"https://{host}:{port}",
        source="in-cluster configuration",
        namespace=namespace.read_text().strip() if namespace.is_file() else "default",
        ca_file=directory / "ca.crt",
        token_file=token,
    )


def default_files() -> list[Path]:
    """The kubeconfigs that count when none is named; empty in a pod."""
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if named:
        return named
    home = Path.home() / ".kube" / "config"
    return [home] if home.is_file() else []


def _as_file(data: str, path: Path | None, scratch: Path) -> Path:
    if not data and path is not None:
        return path
    scratch.touch(mode=0o600)
    scratch.write_text(data)
    return scratch
