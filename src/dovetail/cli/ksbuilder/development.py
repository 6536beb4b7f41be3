"""The loop of `ksbuilder dev`: look, build, publish, wait until it is in force.

A version is published again under its number: the platform sees another digest and upgrades the release in place. A
fault of the project is told and waited out; the next change is another try.
"""

import asyncio
import contextlib
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import click
import yaml

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.cli.errors import CommandError
from dovetail.cli.ksbuilder import catalogue, processes
from dovetail.cli.ksbuilder.cluster import refusal
from dovetail.cli.ksbuilder.errors import DevelopmentFailed
from dovetail.cli.ksbuilder.parcels import read_parcel
from dovetail.cli.ksbuilder.watched import INTERVAL, changed, look
from dovetail.helm.values import put
from dovetail.kube import CONFIGMAPS, Client, KubeError, NotFound, Object
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.manifests import mapping
from dovetail.packaging.objects import CatalogueObjects
from dovetail.packaging.package import Package

TRUST: Final = "dovetail-gateway"
PATIENCE: Final = 120.0
_FAILED: Final = ("InstallFailed", "UpgradeFailed")
_KEYS_FOR: Final = 60.0
_NOTICED: Final = 3.0
"""Seconds after which the platform has seen what was published: until then a failure may be that of the last try."""
_SETTLE: Final = 0.03
"""Seconds without a further change before it is built: an editor and a bundler write in steps."""


class Reporter:
    """What the session says: lines for people, or a JSON object a line."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json

    def say(self, event: str, text: str, **facts: Any) -> None:
        """Tell an event."""
        if self._json:
            click.echo(json.dumps({"event": event, **facts}, ensure_ascii=False))
        elif event == "failed":
            click.secho(text, fg="red")
        else:
            click.echo(text)
        sys.stdout.flush()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def scripts_of(project: Path) -> Mapping[str, Any]:
    """The npm scripts of a project's front end; none if it has no front end. Raises DevelopmentFailed."""
    manifest = project / "frontend" / "package.json"
    if not manifest.is_file():
        return {}
    try:
        return mapping(mapping(json.loads(manifest.read_bytes())).get("scripts"))
    except ValueError as error:
        raise DevelopmentFailed(f"{manifest} is not JSON: {error}", "Correct it") from error


@dataclass
class Frontend:
    """The front end's own watcher: `npm run watch`."""

    directory: Path
    reporter: Reporter
    process: "asyncio.subprocess.Process | None" = None

    @classmethod
    def of(cls, project: Path, reporter: Reporter) -> Self | None:
        """The front end of a project, if it has one that can be watched."""
        return cls(project / "frontend", reporter) if "watch" in scripts_of(project) else None

    async def start(self) -> None:
        """Install what it needs if that was never done, and start it. Raises DevelopmentFailed."""
        npm = shutil.which("npm")
        if npm is None:
            self.reporter.say("notice", "npm is not installed: changes of frontend/ are not built", reason="no npm")
            return
        if not (self.directory / "node_modules").exists():
            self.reporter.say("installing", "npm install ...", what="frontend")
            options = ("--no-audit", "--no-fund", "--loglevel=error")
            if await processes.run(npm, "install", *options, cwd=self.directory) != 0:
                raise DevelopmentFailed("npm install failed", "Correct frontend/package.json, or reach the registry")
        self.process = await processes.start(npm, "run", "--silent", "watch", cwd=self.directory)

    async def stop(self) -> None:
        """End it and what it started."""
        await processes.end(self.process)


@dataclass
class Backend:
    """The backend on this machine: started with the gateway's public keys, restarted when its sources change."""

    directory: Path
    reporter: Reporter
    port: int = field(default_factory=free_port)
    trust: Path = Path()
    """The gateway's keys as files; there from `start` to `stop`."""
    process: "asyncio.subprocess.Process | None" = None
    stale: float = 0.0
    """When the keys are to be fetched again, in monotonic seconds."""

    @classmethod
    def of(cls, project: Path, reporter: Reporter) -> Self | None:
        """The backend of a project, if it is one that this machine can run."""
        folder = project / "backend"
        if (folder / "server.py").is_file() or ((folder / "go.mod").is_file() and shutil.which("go")):
            return cls(folder, reporter)
        return None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, client: Client) -> None:
        """Fetch the keys and start it; whatever comes of it, `stop` is to follow."""
        self.trust = Path(tempfile.mkdtemp(prefix="ksbuilder-trust-"))
        await self.refresh(client)
        await self.restart()

    async def refresh(self, client: Client) -> None:
        """Fetch the gateway's keys, which take turns, if that was not done lately."""
        if time.monotonic() < self.stale:
            return
        with contextlib.suppress(NotFound):
            found = await client.get(CONFIGMAPS, TRUST, SYSTEM_NAMESPACE)
            for name in ("issuer", "jwks.json"):
                (self.trust / name).write_text(str(found.get("data", {}).get(name, "")))
        self.stale = time.monotonic() + _KEYS_FOR

    async def restart(self) -> None:
        """Start it anew with the sources as they are."""
        await processes.end(self.process)
        command = await self._command()
        if not command:
            return
        options = ("--host=127.0.0.1", f"--port={self.port}", f"--trust={self.trust}")
        self.process = await processes.start(*command, *options, cwd=self.directory)

    async def _command(self) -> Sequence[str]:
        if (self.directory / "server.py").is_file():
            return sys.executable, "-u", "server.py"
        program = str(self.trust / "backend")
        if await processes.run("go", "build", "-o", program, ".", cwd=self.directory) == 0:
            return (program,)
        self.reporter.say("failed", "the backend was not built", what="backend")
        return ()

    async def stop(self) -> None:
        """End it."""
        try:
            await processes.end(self.process)
        finally:
            if self.trust != Path():
                shutil.rmtree(self.trust, ignore_errors=True)


@dataclass
class Development:
    """One session."""

    client: Client
    directory: Path
    reporter: Reporter
    frontend: Frontend | None
    backend: Backend | None
    backend_url: str = ""
    values: tuple[str, ...] = ()
    published: str = ""
    """The digest of what was published last."""
    objects: CatalogueObjects | None = None

    async def run(self, *, once: bool) -> None:
        """Until it is cancelled, or once. Raises DevelopmentFailed, KubeError."""
        async with contextlib.AsyncExitStack() as stack:
            if self.backend is not None:
                stack.push_async_callback(self.backend.stop)
                await self.backend.start(self.client)
            if self.frontend is not None:
                stack.push_async_callback(self.frontend.stop)
                await self.frontend.start()
            seen = look(self.directory)
            await self._cycle(patient=not once)
            while not once:
                seen = await self._after_change(seen)

    async def _after_change(self, seen: Any) -> Any:
        """Wait for a change, and bring it into force; what was seen."""
        await asyncio.sleep(INTERVAL)
        if self.backend is not None:
            with contextlib.suppress(KubeError):  # then the keys that it has count until they can be had
                await self.backend.refresh(self.client)
        now = look(self.directory)
        paths = changed(seen, now)
        if not paths:
            return seen
        begun = time.monotonic()
        while paths:
            await asyncio.sleep(_SETTLE)
            after = look(self.directory)
            paths, now = changed(now, after), after
        paths = changed(seen, now)
        if self.backend is not None and any(path.startswith("backend/") for path in paths):
            self.reporter.say("backend", "backend restarted", paths=paths)
            await self.backend.restart()
        if any(not path.startswith(("backend/", "frontend/")) for path in paths):
            await self._cycle(patient=True, begun=begun, paths=paths)
        return now

    async def _cycle(self, *, patient: bool, begun: float | None = None, paths: Sequence[str] = ()) -> None:
        """Bring the project into force. A fault of it is told; with `patient` the session goes on."""
        begun = time.monotonic() if begun is None else begun
        try:
            package = await self.bring()
        except (PackagingError, CommandError, KubeError) as error:
            told = str(refusal(error) if isinstance(error, KubeError) else error)
            self.reporter.say("failed", told, message=told, paths=list(paths))
            if not patient:
                raise
            return
        if package is None:
            return
        seconds = time.monotonic() - begun
        name, version = package.name, package.version
        text = f"{name} {version} is in force ({seconds:.1f} s)" + (f": {', '.join(paths[:3])}" if paths else "")
        facts = {"name": name, "version": version, "digest": package.digest, "seconds": round(seconds, 3)}
        self.reporter.say("installed", text, **facts, paths=list(paths))

    async def bring(self) -> Package | None:
        """Build, publish, install, wait until it is in force; None if nothing is different.

        Raises PackagingError, CommandError, KubeError.
        """
        package, parcel = await asyncio.to_thread(read_parcel, self.directory)
        if parcel.digest == self.published:
            return None
        spec = self._spec(package)
        plan = await self._plan(package.name)
        self.objects = await catalogue.renew(self.client, package, parcel.data, self.objects)
        await self._install(package.name, plan, spec)
        await self._in_force(package, failed=_target(plan))
        self.published = parcel.digest
        return package

    async def _plan(self, name: str) -> Object:
        """The plan as it is; empty if there is none."""
        try:
            return await self.client.get(INSTALLPLANS, name)
        except NotFound:
            return {}

    def _spec(self, package: Package) -> Object:
        """This version with this session's configuration."""
        extension = {"name": package.name, "version": package.version}
        return {"extension": extension, "enabled": True, "config": self._config()}

    async def _install(self, name: str, plan: Object, spec: Object) -> None:
        """Ask for the installation."""
        if not plan:
            body = {"apiVersion": INSTALLPLANS.api_version, "kind": INSTALLPLANS.kind, "metadata": {"name": name}}
            await self.client.create(INSTALLPLANS, {**body, "spec": spec}, field_manager=catalogue.MANAGER)
        elif any(plan.get("spec", {}).get(key) != value for key, value in spec.items()):
            await self.client.patch(INSTALLPLANS, name, {"spec": spec})

    def _config(self) -> str:
        values: dict[str, Any] = {}
        url = self.backend.url if self.backend is not None else self.backend_url
        if url:
            put(values, "backend.url", url)
        for setting in self.values:
            key, equals, value = setting.partition("=")
            if not equals:
                raise DevelopmentFailed(f"--set {setting} is no KEY=VALUE", "Write it like backend.replicas=2")
            put(values, key, yaml.safe_load(value))
        return yaml.safe_dump(values) if values else ""

    async def _in_force(self, package: Package, failed: str) -> None:
        """Wait until the platform says that this package is installed. Raises DevelopmentFailed.

        `failed` is the target that was failing before: the same one counts only if it is still there a while later.
        """
        name, begun = package.name, time.monotonic()
        while (waited := time.monotonic() - begun) < PATIENCE:
            plan = await self._plan(name)
            status: Object = plan.get("status", {})
            digest = str(status.get("operation", {}).get("digest", "")).removeprefix("sha256:")
            if status.get("state") == "Installed" and digest == package.digest:
                return
            if (target := _target(plan)) and (target != failed or waited > _NOTICED):
                reason = f"{name} {status['state']}: {_reason(status)}"
                raise DevelopmentFailed(reason, "Correct it; it is tried again")
            await asyncio.sleep(INTERVAL)
        late = f"{name} is not in force after {PATIENCE:.0f} s"
        raise DevelopmentFailed(late, "`kubectl get installplans` says more")


def _target(plan: Object) -> str:
    """What a plan fails at; empty if it does not, or does not say why yet."""
    status: Object = plan.get("status", {})
    if status.get("state") not in _FAILED or not _reason(status):
        return ""
    return str(status.get("operation", {}).get("target") or "unknown")


def _reason(status: dict[str, Any]) -> str:
    conditions: list[dict[str, Any]] = status.get("conditions") or []
    false = [one for one in conditions if one.get("status") == "False"]
    told = sorted((str(one.get("lastTransitionTime")), str(one.get("message"))) for one in false)
    return told[-1][1].rstrip(".") if told else ""
