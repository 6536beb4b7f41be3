"""A platform started by `dovetail up` with options of the test's choice, and the smallest extension to try it with."""

import json
import os
import select
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.certificates import Certificate
from tests.e2e.demo.platform import BIN, ROOT, Platform
from tests.e2e.demo.web import Answer, NoRedirect, Web
from tests.e2e.demo.world import World, wait

GREETINGS = "/kapis/greeter.dovetail.dev/v1alpha1/greetings"
BUNDLE = "/dist/greeter/index.js"
PROXIED = "/proxy/greeter/hello/world"
SAMPLES = ROOT / "samples" / "extensions"
SHOTS = ROOT / "build" / "e2e"
START_SECONDS = 45.0
LIFELINE_SECONDS = 15.0


@dataclass
class Up(Platform):
    """`dovetail up` with `options`; announced facts are read from its one line of JSON, so any scheme will do."""

    options: tuple[str, ...] = ()
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        return f"{'https' if '--tls-cert' in self.options else 'http'}://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def launch(self) -> "subprocess.Popen[str]":
        """Start it and return at once."""
        command = [str(BIN / "dovetail"), "up", "--data-dir", str(self.data), "--port", str(self.port)]
        command += ["--kube-port", str(self.kube_port), "--output", "json", *self.options]
        with (self.directory / "up.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
        return self.process

    def start(self, web: Web) -> None:
        begun = time.monotonic()
        process = self.launch()
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        line = process.stdout.readline() if ready else ""
        if not line:
            raise AssertionError("dovetail up did not come up:\n" + self.tail())
        self.start_seconds = time.monotonic() - begun
        self.facts = json.loads(line)
        self.password = str(self.facts["password"] or self.password)
        self.started_pids = set(self.pids().values())

    def kill(self, name: str) -> int:
        """SIGKILL one of the processes by name; the process id it had."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_supervisor(self) -> set[int]:
        """SIGKILL the supervisor alone; the ids of everything that ran below it."""
        assert self.process is not None
        below = set(self.pids().values()) - {self.process.pid}
        self.process.kill()
        self.ended()
        return below

    def ended(self, seconds: float = 20) -> int:
        """Wait for the end of the command; its exit code."""
        assert self.process is not None
        code = self.process.wait(seconds)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def stop(self) -> float:
        seconds = super().stop()
        self.ended()
        return seconds

    def finish(self) -> None:
        """Ctrl-C if it still runs, then remove everything."""
        try:
            if self.process is not None and self.process.poll() is None:
                self.stop()
        finally:
            self.remove()


class SecureWeb(Web):
    """Trusts one authority only."""

    def __init__(self, certificate: Certificate) -> None:
        super().__init__()
        self.certificate = certificate
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            NoRedirect(),
            urllib.request.HTTPSHandler(context=certificate.client_context()),
        )


def certificate_of(world: World) -> Certificate:
    """What a platform that was started with TLS shows."""
    assert isinstance(world.web, SecureWeb)
    return world.web.certificate


def kubeconfig_text(server: str, token: str) -> str:
    """A kubeconfig with a token."""
    return f"""
apiVersion: v1
kind: Config
current-context: it
contexts: [{{name: it, context: {{cluster: it, user: it}}}}]
clusters: [{{name: it, cluster: {{server: "{server}"}}}}]
users: [{{name: it, user: {{token: {token}}}}}]
"""


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes_of(directory: Path) -> dict[int, str]:
    """Every running process whose command line names this directory, whoever its parent is."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(directory) in line and alive(int(entry.name)):
                found[int(entry.name)] = line.strip()
    return found


def answers(call: Callable[[], Answer], code: int = 200) -> bool:
    """Whether the call gives this code now; a refused or cut connection is a no."""
    try:
        return call().code == code
    except OSError:
        return False


def logs_in(world: World, user: str, password: str) -> bool:
    """Whether the user can log in now. The token is kept in the world."""
    try:
        world.log_in(user, password)
    except (AssertionError, OSError):
        return False
    return True


def world_on(platform: Up, web: Web | None = None) -> World:
    """Start the platform and log in as its administrator."""
    world = World(platform=platform, web=web or Web())
    platform.start(world.web)
    world.log_in("admin", platform.password)
    return world


def up_of(world: World) -> Up:
    """The world's platform, as what it is here."""
    assert isinstance(world.platform, Up)
    return world.platform


def create_user(world: World, name: str, password: str = "Regular-0n3-Passw0rd") -> None:
    """A user without any role, logged in."""
    user = {"metadata": {"name": name}, "spec": {"email": f"{name}@example.org", "password": password}}
    user |= {"apiVersion": "iam.kubesphere.io/v1beta1", "kind": "User"}
    created = world.send("POST", "/kapis/iam.kubesphere.io/v1beta1/users", "admin", user)
    assert created.code in (200, 201), created
    wait(lambda: logs_in(world, name, password), f"{name} to log in")
    wait(lambda: world.get("/oauth/userinfo", name).code == 200, f"{name} to be known everywhere")


def publish_greeter(world: World, source: str = "greeter") -> None:
    """Package and publish a version of the greeter."""
    world.ksbuilder("publish", world.package(SAMPLES / source))


def install_greeter(world: World, backend_url: str) -> None:
    """Publish and install greeter 0.1.0 with its backend at this address, and see it answer."""
    publish_greeter(world)
    version = "{.status.recommendedVersion}"
    wait(
        lambda: world.kubectl("get", "extension", "greeter", "-o", f"jsonpath={version}", "--ignore-not-found") != "",
        "the extension to be known",
    )
    world.plan("greeter", "0.1.0", f"backend:\n  url: {backend_url}\n")
    world.wait_installed("greeter", "0.1.0")
    wait(lambda: greeter_works(world), "the greeter to work", also=lambda: repr(world.get(GREETINGS, "admin")))


def greeter_works(world: World) -> bool:
    """The API names the administrator, the proxied path and the bundle answer."""
    return (
        answers(lambda: world.get(GREETINGS, "admin"))
        and answers(lambda: world.get(PROXIED, "admin"))
        and answers(lambda: world.get(BUNDLE))
    )


def uninstall(world: World, name: str) -> None:
    """Delete the plan and wait until it is gone."""
    path = f"/apis/kubesphere.io/v1alpha1/installplans/{name}"
    world.send("DELETE", path, "admin")
    wait(lambda: world.get(path, "admin").code == 404, f"the plan of {name} to go")


def tiny_extension(directory: Path, name: str, version: str = "1.0.0", value: str = "said") -> Path:
    """The source of an extension that is one ConfigMap, which holds the configured value; its directory."""
    source = directory / name
    (source / "templates").mkdir(parents=True, exist_ok=True)
    (source / "extension.yaml").write_text(
        f"apiVersion: kubesphere.io/v1alpha1\nname: {name}\nversion: {version}\n"
        f"displayName:\n  en: {name.title()}\ndescription:\n  en: One ConfigMap.\ncategory: dev-tools\n"
        "provider:\n  en:\n    name: The tests\n    email: tests@example.org\n"
        "installationMode: HostOnly\nicon: ./icon.svg\n"
    )
    (source / "icon.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="#269"/></svg>'
    )
    (source / "permissions.yaml").write_text(
        "kind: Role\nrules:\n- verbs: ['*']\n  apiGroups: ['']\n  resources: [configmaps, secrets]\n"
    )
    (source / "values.yaml").write_text(f"{value}: hello\n")
    (source / "templates" / "said.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-said\n"
        "data:\n  said: {{ .Values.VALUE }}\n".replace("VALUE", value)
    )
    return source


def comes_and_goes(world: World, name: str) -> None:
    """Install the published tiny extension, see its ConfigMap, uninstall it."""
    world.plan(name, "1.0.0", "said: good day\n")
    world.wait_installed(name, "1.0.0")
    said = world.kubectl("get", "configmaps", "-A", "-l", f"kubesphere.io/extension-ref={name}", "-o", "json")
    assert "good day" in said, said
    uninstall(world, name)
