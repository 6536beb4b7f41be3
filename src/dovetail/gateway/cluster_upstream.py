"""The Kubernetes API as an upstream of the workers, made from the configuration that control itself uses.

Workers hold files, not secrets in a snapshot: certificate, key and token are written into the private run directory
(0600) when the configuration carries them inline. What is a file already is named as it is, so rotation counts.
"""

from pathlib import Path
from urllib.parse import urlsplit

from dovetail.gateway import private_file
from dovetail.kube import ClusterConfig
from dovetail.kube.errors import ConfigError
from dovetail.routing.model import Address, Upstream, UpstreamTLS
from dovetail.routing.upstreams import with_key

_STREAM_SILENCE = 4 * 3600.0


def cluster_upstream(config: ClusterConfig, run_dir: Path) -> Upstream:
    """The upstream for this cluster. Raises ConfigError for credentials that workers cannot use."""
    if config.exec is not None or config.username:
        problem = "the gateway's workers cannot use an exec plugin or a password"
        raise ConfigError(config.source, problem, "give a kubeconfig with a client certificate or a token")
    parts = urlsplit(config.server)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    return with_key(
        Upstream(
            key="",
            scheme="https" if parts.scheme == "https" else "http",
            authority=parts.netloc,
            base_path=parts.path.rstrip("/"),
            addresses=(Address(host, port),),
            tls=_tls(config, host, run_dir) if parts.scheme == "https" else None,
            bearer_token_file=_token_file(config, run_dir),
            idle_timeout=_STREAM_SILENCE,
        )
    )


def _tls(config: ClusterConfig, host: str, run_dir: Path) -> UpstreamTLS:
    return UpstreamTLS(
        server_name=config.tls_server_name or host,
        ca_pem=config.ca_pem(),
        insecure_skip_verify=config.insecure,
        client_cert_file=_file(config.client_cert_data, config.client_cert_file, run_dir / "cluster.crt"),
        client_key_file=_file(config.client_key_data, config.client_key_file, run_dir / "cluster.key"),
    )


def _token_file(config: ClusterConfig, run_dir: Path) -> str:
    return _file(config.token, config.token_file, run_dir / "cluster.token")


def _file(inline: str, named: Path | None, place: Path) -> str:
    """The path of a credential: the named file, or `place` holding the inline text; "" for none."""
    if not inline:
        return str(named) if named else ""
    private_file.write(place, inline)
    return str(place)
