"""Which processes make up the platform, and with which arguments: pure, so that it can be read and tested.

The same specs serve `dovetail up` (all of them), and `dovetail apiserver` (the gateway alone).
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from dovetail.cli import gateway_limits, trusted_proxies
from dovetail.cli.audit_log import AuditLog
from dovetail.cli.authentication import Authentication
from dovetail.cli.datadir import DataDirectory
from dovetail.cli.supervisor import ProcessSpec


@dataclass(frozen=True)
class Address:
    """Where the gateway listens, and how it is called from outside."""

    host: str
    port: int
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @property
    def url(self) -> str:
        """The console's address, which is also the issuer of tokens."""
        scheme = "https" if self.tls_cert else "http"
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"


@dataclass(frozen=True)
class Layout:
    """What `dovetail up` was asked for. `kubeconfig` None means the embedded cluster; `ingress_domain` may be ""."""

    data: DataDirectory
    gateway: Address
    kube_port: int
    workers: int = 0
    kubeconfig: Path | None = None
    verbose: bool = False
    ingress_domain: str = ""
    audit: AuditLog = field(default_factory=AuditLog)
    authentication: Authentication = field(default_factory=Authentication)
    trusted_proxies: tuple[str, ...] = ()
    gateway_limits: tuple[str, ...] = ()

    @property
    def worker_count(self) -> int:
        """One a core unless said otherwise."""
        return self.workers or os.cpu_count() or 1

    def kubeconfig_of(self, part: str) -> Path:
        """The credentials of a part: its own on the embedded cluster, the given ones on a real one."""
        return self.kubeconfig or self.data.kubeconfig_of(part)

    def cluster(self) -> tuple[ProcessSpec, ...]:
        """The embedded cluster, or nothing."""
        if self.kubeconfig:
            return ()
        arguments = ("kube", "--data-dir", str(self.data.root), "--port", str(self.kube_port))
        return (self._spec("kube", *arguments),)

    def gateway_workers(self) -> tuple[ProcessSpec, ...]:
        """The data plane; each is ready when it serves its first snapshot."""
        address = self.gateway
        arguments = ["gateway-worker", "--bind", address.host, "--port", str(address.port)]
        arguments += ["--snapshot-socket", str(self.data.socket("snapshot"))]
        if address.tls_cert and address.tls_key:
            arguments += ["--tls-cert", str(address.tls_cert), "--tls-key", str(address.tls_key)]
        arguments += trusted_proxies.arguments(self.trusted_proxies)
        arguments += gateway_limits.arguments(self.gateway_limits)
        return tuple(
            replace(
                self._spec(name, *arguments, "--metrics-socket", str(self.data.socket(f"metrics-{n}"))), drains=True
            )
            for n in range(self.worker_count)
            for name in (f"gateway-worker-{n}",)
        )

    def gateway_control(self) -> ProcessSpec:
        """Compiles snapshots; serves the platform's own API."""
        return self._spec(
            "gateway-control", "gateway-control",
            "--kubeconfig", str(self.kubeconfig_of("gateway")),
            "--issuer", self.gateway.url,
            "--run-dir", str(self.data.run), *self.audit.arguments(self.data.root / "audit" / "audit.log"),
            *self.authentication.arguments(),
        )  # fmt: skip

    def controllers(self) -> ProcessSpec:
        """Every reconciler."""
        kubeconfig = str(self.kubeconfig_of("controllers"))
        packages = str(self.data.root / "packages")
        arguments = ["controller-manager", "--kubeconfig", kubeconfig, "--local-repositories", packages]
        if self.ingress_domain:
            arguments += ["--ingress-domain", self.ingress_domain]
        return self._spec("controller-manager", *arguments)

    def console(self) -> ProcessSpec:
        """The page and the bundles."""
        kubeconfig = str(self.kubeconfig_of("console"))
        return self._spec(
            "console", "console", "--kubeconfig", kubeconfig, "--socket", str(self.data.socket("console"))
        )

    def _spec(self, name: str, *arguments: str) -> ProcessSpec:
        return ProcessSpec(name, (*arguments, "--verbose") if self.verbose else arguments)
