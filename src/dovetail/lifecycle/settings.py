"""The settings of the controllers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PLATFORM_VERSION: Final = "4.1.3"
"""The release of the published platform whose contract is kept; `ksVersion` constraints are held against it."""


@dataclass(frozen=True)
class LifecycleSettings:
    """`kubeconfig` None means the in-cluster account. Times are in seconds.

    `portal_url`, `image_registry`, `node_selector` and `ingress` become Helm values `global.*` of every release when
    set (reference/kubesphere-core.md 2.4); `ingress` has the keys ingressClassName, domainSuffix, httpPort,
    httpsPort.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    leader_elect: bool = False
    namespace: str = "kubesphere-system"
    """Where the lease is."""
    cluster_name: str = "host"
    cluster_role: str = "host"
    local_repositories: tuple[Path, ...] = ()
    """Directories below which `file:///` repositories may be."""
    platform_version: str = PLATFORM_VERSION
    portal_url: str = ""
    image_registry: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict[str, str])
    ingress: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    hook_timeout: int = 300
    wait_for_workloads: bool = False
    worker_idle: float = 20.0
    drift_interval: float = 300.0
    """How often an extension that nothing happens to is compared with its release."""
