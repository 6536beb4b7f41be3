"""What the steps share: the platform, the tools a user has, and waiting for a thing to become true."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.demo.platform import BIN, ROOT, Platform, run
from tests.e2e.demo.web import Answer, Web

CORPUS = ROOT.parent / "shared" / "corpus"
SHOTS = ROOT / "build" / "demo"


@dataclass
class World:
    """The platform under demonstration and the logins made so far."""

    platform: Platform = field(default_factory=Platform)
    web: Web = field(default_factory=Web)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.platform.url

    @property
    def scratch(self) -> Path:
        return self.platform.directory

    def log_in(self, user: str, password: str) -> None:
        """A token by the password grant, as scripts and the reference's clients do."""
        form = {"grant_type": "password", "username": user, "password": password}
        form |= {"client_id": "kubesphere", "client_secret": "kubesphere"}
        answer = self.web.call("POST", f"{self.url}/oauth/token", form=form)
        expect(answer, 200)
        self.tokens[user] = answer.json["access_token"]

    def get(self, path: str, user: str = "") -> Answer:
        return self.web.call("GET", self.url + path, token=self.tokens[user] if user else "")

    def send(self, method: str, path: str, user: str, body: Any = None, content: str = "application/json") -> Answer:
        headers = {"Content-Type": content}
        return self.web.call(method, self.url + path, token=self.tokens[user], body=body, headers=headers)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """The real kubectl with the printed kubeconfig."""
        home = self.scratch / "home"
        home.mkdir(exist_ok=True)
        command = ("kubectl", "--kubeconfig", str(self.platform.kubeconfig), *arguments)
        return run(*command, stdin=stdin, env={"HOME": str(home)})

    def ksbuilder(self, *arguments: str | Path) -> str:
        """The packaging tool, as its users call it."""
        return run(BIN / "ksbuilder", *arguments, env={"KUBECONFIG": str(self.platform.kubeconfig)})

    def package(self, source: Path) -> Path:
        """Package a directory into the scratch place; the archive."""
        out = self.scratch / "packages"
        out.mkdir(exist_ok=True)
        before = set(out.glob("*.tgz"))
        self.ksbuilder("package", source, "--destination", out)
        (archive,) = set(out.glob("*.tgz")) - before
        return archive

    def plan(self, name: str, version: str, config: str = "") -> None:
        """Ask for an installation through the gateway, as the console does."""
        spec = {"extension": {"name": name, "version": version}, "enabled": True, "config": config}
        body = {"apiVersion": "kubesphere.io/v1alpha1", "kind": "InstallPlan", "metadata": {"name": name}, "spec": spec}
        expect(self.send("POST", "/apis/kubesphere.io/v1alpha1/installplans", "admin", body), 201)

    def change_plan(self, name: str, spec: dict[str, Any]) -> None:
        """Merge-patch a plan's spec."""
        path = f"/apis/kubesphere.io/v1alpha1/installplans/{name}"
        expect(self.send("PATCH", path, "admin", {"spec": spec}, "application/merge-patch+json"), 200)

    def plan_status(self, name: str) -> dict[str, Any]:
        answer = self.get(f"/apis/kubesphere.io/v1alpha1/installplans/{name}", "admin")
        return answer.json.get("status", {}) if answer.code == 200 else {}

    def wait_installed(self, name: str, version: str) -> None:
        """The plan is Installed at this version; a failure is told with its reason."""

        def installed() -> bool:
            status = self.plan_status(name)
            if str(status.get("state", "")).endswith("Failed"):
                raise AssertionError(f"{name}: {status['state']}: {json.dumps(status.get('conditions'))}")
            return status.get("state") == "Installed" and status.get("version") == version

        wait(installed, f"{name} {version} to be Installed", also=lambda: json.dumps(self.plan_status(name)))


def expect(answer: Answer, code: int) -> None:
    """The answer has this code."""
    if answer.code != code:
        raise AssertionError(f"expected {code}, got {answer.code}: {answer.body[:400]!r}")


def expect_status(answer: Answer, code: int, reason: str) -> None:
    """The answer is a Kubernetes Status of this code and reason."""
    expect(answer, code)
    body = answer.json
    assert (body["kind"], body["apiVersion"], body["code"], body["reason"]) == ("Status", "v1", code, reason), body


def wait(
    holds: Callable[[], bool], what: str, seconds: float = 25, also: Callable[[], str] = lambda: "", every: float = 0.05
) -> float:
    """Wait until it holds; how long it took."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"waited {seconds:.0f} s for {what}. {also()}")
        time.sleep(every)
    return time.monotonic() - begun
