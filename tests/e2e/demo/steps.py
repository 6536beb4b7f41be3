"""The steps of the demo, in order. Each observes what it claims, from outside, with a client that users have."""

import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.demo.backend import backend
from tests.e2e.demo.browser import Person, person_at
from tests.e2e.demo.platform import ROOT, free_port
from tests.e2e.demo.report import Report
from tests.e2e.demo.world import CORPUS, SHOTS, World, expect, expect_status, wait

SAMPLES = ROOT / "samples" / "extensions"
GREETINGS = "/kapis/greeter.dovetail.dev/v1alpha1/greetings"
BUNDLE = "/dist/greeter/index.js"
PROXIED = "/proxy/greeter/hello/world"
KINDS = "apiservices.extensions.kubesphere.io,jsbundles.extensions.kubesphere.io"
KINDS += ",reverseproxies.extensions.kubesphere.io,extensionentries.extensions.kubesphere.io"
REF = "kubesphere.io/extension-ref=greeter"
REGULAR = ("regular", "Regular-0n3-Passw0rd")


def demonstrate(world: World, report: Report) -> None:
    """Everything, in order."""
    start(world, report)
    publish(world, report)
    port = free_port()
    with greeter_backend(port, "greeter") as url:
        install(world, report, url)
        use(world, report)
        refuse(world, report)
        with person_at(world.url, SHOTS) as person:
            look(world, report, person)
            switch(world, report, person)
    with greeter_backend(port, "greeter-0.2.0") as url:
        upgrade(world, report, url)
    with greeter_backend(port, "greeter") as url:
        roll_back(world, report, url)
        uninstall(world, report)
    corpus(world, report)
    measure(world, report)


@contextmanager
def greeter_backend(port: int, source: str) -> Iterator[str]:
    """The sample's backend in its own process, on the same port for both versions."""
    with backend(SAMPLES / source, port) as url:
        yield url


def start(world: World, report: Report) -> None:
    with report.step("start the platform"):
        world.platform.start(world.web)
        report.note(start_s=round(world.platform.start_seconds, 2), announced_s=world.platform.facts["start_s"])
    with report.step("log in as the administrator with the printed password"):
        world.log_in("admin", str(world.platform.facts["password"]))


def publish(world: World, report: Report) -> None:
    with report.step("package the greeter, twice the same bytes"):
        archive = world.package(SAMPLES / "greeter")
        first = archive.read_bytes()
        archive.unlink()
        assert world.package(SAMPLES / "greeter").read_bytes() == first, "two packages of one source differ"
    with report.step("publish it: Extension, ExtensionVersion and Category appear"):
        world.ksbuilder("publish", archive)
        wait(lambda: "greeter-0.1.0" in world.kubectl("get", "extensionversions"), "the extension version")
        category = world.kubectl(
            "get", "extension", "greeter", "-o", "jsonpath={.metadata.labels.kubesphere\\.io/category}"
        )
        assert category in world.kubectl("get", "categories.kubesphere.io"), f"no category {category}"
    with report.step("kubectl get extensions shows useful columns"):
        wait(lambda: "0.1.0" in world.kubectl("get", "extensions"), "the recommended version in a column")
        header, row = world.kubectl("get", "extensions").splitlines()[:2]
        assert len(header.split()) >= 4, header
        assert row.startswith("greeter"), row


def install(world: World, report: Report, url: str) -> None:
    with report.step("install: plan created -> bundle served"):
        begun = time.monotonic()
        world.plan("greeter", "0.1.0", f"backend:\n  url: {url}\n")
        wait(
            lambda: world.get(BUNDLE).code == 200,
            "the bundle",
            every=0.01,
            also=lambda: json.dumps(world.plan_status("greeter")),
        )
        report.note(install_s=round(time.monotonic() - begun, 2))
    with report.step("the plan is Installed"):
        world.wait_installed("greeter", "0.1.0")
        report.note(installed_s=round(time.monotonic() - begun, 2))
    with report.step("a Helm release exists (helm list sees it)"):
        assert helm_releases(world, "greeter"), "no release secret of Helm's own storage"


def helm_releases(world: World, name: str) -> list[str]:
    """The releases of Helm's own storage, as `helm list` reads them: Secrets labelled owner=helm."""
    selector = f"owner=helm,name={name},status=deployed"
    found = json.loads(world.kubectl("get", "secrets", "-A", "-l", selector, "-o", "json"))
    return [item["metadata"]["name"] for item in found["items"] if item["type"] == "helm.sh/release.v1"]


def use(world: World, report: Report) -> None:
    with report.step("its API answers through the gateway and names the user, without Authorization"):
        wait(
            lambda: world.get(GREETINGS, "admin").code == 200,
            "the API",
            also=lambda: repr(world.get(GREETINGS, "admin")),
        )
        body = world.get(GREETINGS, "admin").json
        assert body["user"] == "admin", body
        assert body["received"]["authorization"] is False, body
        assert "x-remote-user" in body["received"]["headers"], body
        assert "Hello, admin!" in [item["message"] for item in body["items"]], body
    with report.step("its bundle is served as JavaScript with an ETag"):
        bundle = world.get(BUNDLE)
        expect(bundle, 200)
        assert "System.register" in bundle.body.decode(), "not the bundle"
        assert bundle.headers.get("ETag") or bundle.headers.get("etag"), bundle.headers
    with report.step("its ReverseProxy rewrites and proxies a path"):
        wait(lambda: world.get(PROXIED, "admin").code == 200, "the proxied path")
        assert world.get(PROXIED, "admin").json["path"] == "/public/hello/world"


def refuse(world: World, report: Report) -> None:
    with report.step("without a token: 401, a Kubernetes Status"):
        expect_status(world.get(GREETINGS), 401, "Unauthorized")
        expect_status(world.get("/apis/kubesphere.io/v1alpha1/extensions"), 401, "Unauthorized")
    with report.step("a user without a role: 403, a Kubernetes Status"):
        name, password = REGULAR
        user = {"metadata": {"name": name}, "spec": {"email": "regular@example.org", "password": password}}
        user |= {"apiVersion": "iam.kubesphere.io/v1beta1", "kind": "User"}
        created = world.send("POST", "/kapis/iam.kubesphere.io/v1beta1/users", "admin", user)
        assert created.code in (200, 201), created
        assert password not in created.body.decode(), "the answer repeats the password"
        wait(lambda: _logs_in(world, name, password), "the new user to log in")
        expect_status(world.get(GREETINGS, name), 403, "Forbidden")
        expect_status(world.get(PROXIED, name), 403, "Forbidden")
        stored = world.kubectl("get", "users.iam.kubesphere.io", name, "-o", "jsonpath={.spec.password}")
        assert stored.startswith("$argon2id$"), "the password is not stored as an argon2id hash"


def _logs_in(world: World, name: str, password: str) -> bool:
    try:
        world.log_in(name, password)
    except AssertionError:
        return False
    return world.get(GREETINGS, name).code != 401


def look(world: World, report: Report, person: Person) -> None:
    with report.step("a browser logs in through the login page"):
        person.log_in("admin", str(world.platform.facts["password"]))
    with report.step("sees the entry Greetings, opens it, reads what the bundle rendered"):
        person.opens("Greetings")
        person.sees("Hello, admin!")
        person.shoot("greetings")
    with report.step("the page had nothing to complain about"):
        assert not person.complaints, person.complaints


def switch(world: World, report: Report, person: Person) -> None:
    with report.step("disable: entry, bundle and API are gone; the objects say Disabled"):
        world.change_plan("greeter", {"enabled": False})
        wait(lambda: world.get(BUNDLE).code == 404, "the bundle to go")
        wait(lambda: world.get(GREETINGS, "admin").code == 404, "the API to go")
        wait(lambda: states(world) == {"Disabled"}, "the objects to say Disabled", also=lambda: str(states(world)))
        person.misses("Greetings")
        person.shoot("disabled")
    with report.step("enable: back"):
        world.change_plan("greeter", {"enabled": True})
        wait(lambda: world.get(BUNDLE).code == 200, "the bundle to come back")
        wait(lambda: world.get(GREETINGS, "admin").code == 200, "the API to come back")
        wait(lambda: states(world) == {"Available"}, "the objects to say Available", also=lambda: str(states(world)))
        person.opens("Greetings")
        person.sees("Hello, admin!")


def states(world: World) -> set[str]:
    """status.state of the extension's four kinds of objects."""
    found = json.loads(world.kubectl("get", KINDS, "-l", REF, "-o", "json"))
    assert len(found["items"]) == 4, [item["metadata"]["name"] for item in found["items"]]
    return {item.get("status", {}).get("state", "") for item in found["items"]}


def upgrade(world: World, report: Report, url: str) -> None:
    with report.step("publish 0.2.0 and upgrade to it"):
        world.ksbuilder("publish", world.package(SAMPLES / "greeter-0.2.0"))
        before = world.get(BUNDLE).body
        world.change_plan("greeter", {"extension": {"name": "greeter", "version": "0.2.0"}})
        world.wait_installed("greeter", "0.2.0")
        wait(lambda: world.get(BUNDLE).body not in (before, b""), "the new bundle")
        wait(lambda: world.get(GREETINGS, "admin").code == 200, "the API of 0.2.0")
        assert world.get(GREETINGS, "admin").json["version"] == "0.2.0"


def roll_back(world: World, report: Report, url: str) -> None:
    with report.step("roll back to 0.1.0"):
        after = world.get(BUNDLE).body
        world.change_plan("greeter", {"extension": {"name": "greeter", "version": "0.1.0"}})
        world.wait_installed("greeter", "0.1.0")
        wait(lambda: world.get(BUNDLE).body not in (after, b""), "the old bundle")


def uninstall(world: World, report: Report) -> None:
    with report.step("uninstall: no object labelled with the extension is left but its catalogue entries"):
        expect(world.send("DELETE", "/apis/kubesphere.io/v1alpha1/installplans/greeter", "admin"), 200)
        wait(
            lambda: world.get("/apis/kubesphere.io/v1alpha1/installplans/greeter", "admin").code == 404,
            "the plan to go",
        )
        wait(lambda: not labelled(world), "labelled objects to go", also=lambda: str(labelled(world)))
        wait(lambda: world.get(BUNDLE).code == 404, "the bundle to go")
        wait(lambda: world.get(GREETINGS, "admin").code == 404, "the API to go")
        assert not helm_releases(world, "greeter"), "a Helm release is left"
    with report.step("unpublish: now nothing at all carries its label"):
        world.ksbuilder("unpublish", "greeter")
        wait(lambda: not labelled(world, ()), "the catalogue entries to go", also=lambda: str(labelled(world, ())))


CATALOGUE = ("Extension/greeter", "ExtensionVersion/greeter-", "ConfigMap/extension-greeter-")


def labelled(world: World, but: tuple[str, ...] = CATALOGUE) -> list[str]:
    """Everything in the cluster, of every kind it serves, that carries the extension's label."""
    kinds = world.kubectl("api-resources", "--verbs=list,delete", "-o", "name").split()
    found = world.kubectl("get", ",".join(kinds), "-A", "-l", REF, "-o", "json", "--ignore-not-found")
    items = json.loads(found)["items"] if found.strip() else []
    names = [f"{item['kind']}/{item['metadata']['name']}" for item in items]
    return [name for name in names if not but or not name.startswith(but)]


def corpus(world: World, report: Report) -> None:
    source = CORPUS / "hello-world.source.tar.gz"
    if not source.exists():
        report.skip("the public sample hello-world", f"{source.name} is not here")
    else:
        hello_world(world, report, source)
    archive = CORPUS / "oceanbase-dashboard-0.4.0.tgz"
    if not archive.exists():
        report.skip("the published oceanbase-dashboard", f"{archive.name} is not here")
    else:
        oceanbase(world, report, archive)


def hello_world(world: World, report: Report, source: Path) -> None:
    with report.step("the public sample hello-world: packaged unmodified, published, installed"):
        with tarfile.open(source) as tree:
            tree.extractall(world.scratch / "public", filter="data")
        world.ksbuilder("publish", world.package(world.scratch / "public" / "hello-world"))
        world.plan("hello-world", "0.1.0")
        world.wait_installed("hello-world", "0.1.0")
        wait(lambda: world.get("/dist/hello-world/index.js").code == 200, "its bundle")
    with report.step("hello-world's page is seen in the browser"), person_at(world.url, SHOTS) as person:
        person.log_in("admin", str(world.platform.facts["password"]))
        person.opens("HELLO_WORLD")
        person.sees("Say hi to the world!")
        person.shoot("hello-world")


def oceanbase(world: World, report: Report, archive: Path) -> None:
    with report.step("the published archive oceanbase-dashboard-0.4.0.tgz: installed as it is"):
        world.ksbuilder("publish", archive)
        world.plan("oceanbase-dashboard", "0.4.0")
        world.wait_installed("oceanbase-dashboard", "0.4.0")
        found = json.loads(
            world.kubectl(
                "get",
                "deployments,services",
                "-A",
                "-l",
                "kubesphere.io/extension-ref=oceanbase-dashboard",
                "-o",
                "json",
            )
        )
        kinds = sorted({item["kind"] for item in found["items"]})
        assert kinds == ["Deployment", "Service"], kinds
        wait(lambda: world.get("/dist/oceanbase-dashboard/index.js").code == 200, "its bundle")


def _helm_worker(world: World) -> bool:
    """Whether a process of the platform has a child now: only the controllers do, while Helm works."""
    return any("/" in name for name in world.platform.pids())


def measure(world: World, report: Report) -> None:
    with report.step("measure the memory of every process, with the Helm worker and after it has ended by itself"):
        working = world.platform.memory_mib()
        wait(lambda: not _helm_worker(world), "the idle Helm worker to end", 40, every=0.5)
        resting = world.platform.memory_mib()
        report.note(rss_with_helm_mib=round(sum(working.values()), 1), rss_with_helm_by_process_mib=working)
        report.note(rss_mib=round(sum(resting.values()), 1), rss_by_process_mib=resting)
    with report.step("Ctrl-C stops everything"):
        report.note(stop_s=round(world.platform.stop(), 2))
