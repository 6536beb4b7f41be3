"""What a request carries to show who it is: headers, and TLS settings that may change while we run.

Three sources, one interface: fixed values of the kubeconfig; a token file, re-read once a minute because kubelets
rotate it; an exec plugin, run when its credential runs out. After a 401 the transport calls `renew` and tries again.
"""

import asyncio
import base64
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

import orjson

from dovetail.kube.config import ClusterConfig, ExecPlugin
from dovetail.kube.errors import ConfigError
from dovetail.kube.timestamps import parse_rfc3339

TOKEN_FILE_SECONDS = 60.0
EXEC_TIMEOUT = 60.0
_EARLY = 10.0  # seconds before its end at which a credential counts as over


class Credentials(Protocol):
    """Who we are, towards one cluster."""

    async def headers(self) -> Mapping[str, str]: ...

    def ssl_context(self) -> ssl.SSLContext | None: ...

    def renew(self) -> bool:
        """Forget what is cached; False if that cannot change anything."""
        ...


def credentials_for(config: ClusterConfig) -> Credentials:
    """The source that this configuration names; an explicit token wins, as in client-go."""
    if config.exec is not None:
        return _Exec(config, config.exec)
    if config.token_file is not None and not config.token:
        return _TokenFile(config, config.token_file, time.monotonic)
    return _Fixed(config)


class _Fixed:
    def __init__(self, config: ClusterConfig) -> None:
        self._context = config.ssl_context()
        self._headers: dict[str, str] = {}
        if config.token:
            self._headers["Authorization"] = f"Bearer {config.token}"
        elif config.username:
            basic = base64.b64encode(f"{config.username}:{config.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {basic}"

    async def headers(self) -> Mapping[str, str]:
        return self._headers

    def ssl_context(self) -> ssl.SSLContext | None:
        return self._context

    def renew(self) -> bool:
        return False


class _TokenFile:
    def __init__(self, config: ClusterConfig, file: Path, clock: Callable[[], float]) -> None:
        self._context = config.ssl_context()
        self._source, self._file, self._clock = config.source, file, clock
        self._headers: Mapping[str, str] = {}
        self._until = -1.0

    async def headers(self) -> Mapping[str, str]:
        if self._clock() >= self._until:
            self._headers = {"Authorization": f"Bearer {self._read()}"}
            self._until = self._clock() + TOKEN_FILE_SECONDS
        return self._headers

    def ssl_context(self) -> ssl.SSLContext | None:
        return self._context

    def renew(self) -> bool:
        self._until = -1.0
        return True

    def _read(self) -> str:
        try:
            token = self._file.read_text().strip()
        except OSError as error:
            raise ConfigError(self._source, f"the token file {self._file} cannot be read ({error.strerror})") from error
        if not token:
            raise ConfigError(self._source, f"the token file {self._file} is empty")
        return token


class _Exec:
    def __init__(self, config: ClusterConfig, plugin: ExecPlugin) -> None:
        self._config, self._plugin = config, plugin
        self._context = config.ssl_context()
        self._headers: Mapping[str, str] = {}
        self._until = -1.0
        self._lock = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        async with self._lock:
            if time.time() >= self._until:
                self._take(await run_exec_plugin(self._plugin))
        return self._headers

    def ssl_context(self) -> ssl.SSLContext | None:
        return self._context

    def renew(self) -> bool:
        self._until = -1.0
        return True

    def _take(self, status: Mapping[str, Any]) -> None:
        token, cert, key = (str(status.get(n) or "") for n in ("token", "clientCertificateData", "clientKeyData"))
        if not token and not cert:
            raise ConfigError(self._config.source, f"{self._plugin.command} printed neither a token nor a certificate")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        if cert:
            self._context = replace(self._config, client_cert_data=cert, client_key_data=key).ssl_context()
        expires = status.get("expirationTimestamp")
        self._until = parse_rfc3339(str(expires)).timestamp() - _EARLY if expires else float("inf")


async def run_exec_plugin(plugin: ExecPlugin) -> Mapping[str, Any]:
    """Run the plugin and return the `status` of the ExecCredential it prints. Raises ConfigError."""
    spec: dict[str, Any] = {"interactive": False}
    if plugin.cluster is not None:
        spec["cluster"] = dict(plugin.cluster)
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    env = {**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode()}
    output = await _output(plugin, env)
    try:
        printed = orjson.loads(output)
        return cast("Mapping[str, Any]", printed["status"])
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ConfigError(plugin.command, "did not print an ExecCredential with a status") from error


async def _output(plugin: ExecPlugin, env: Mapping[str, str]) -> bytes:
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command, *plugin.args, env=env, stdin=nothing, stdout=pipe, stderr=pipe
        )
    except OSError as error:
        hint = plugin.install_hint or "install it or choose another context"
        raise ConfigError(plugin.command, f"the exec plugin cannot be started ({error.strerror})", hint) from error
    try:
        async with asyncio.timeout(EXEC_TIMEOUT):
            output, complaint = await process.communicate()
    except TimeoutError as error:
        raise ConfigError(plugin.command, f"the exec plugin did not end within {EXEC_TIMEOUT:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = complaint.decode(errors="replace").strip()[-500:]
        raise ConfigError(plugin.command, f"the exec plugin failed with exit code {process.returncode}: {last}")
    return output
