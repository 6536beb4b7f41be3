"""Roles of workspaces, projects and the cluster, groups and Rego, on a real platform with two workers.

An extension's API stands behind the gateway, so nobody but the workers can refuse a request. Bindings are written with
kubectl, by somebody else than who is waiting; what is measured is the time until the answer of the workers changes.
"""

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.demo.platform import BIN, ROOT
from tests.e2e.demo.world import World, expect, wait
from tests.e2e.echo import echo
from tests.e2e.running import Up, logs_in, world_on
from tests.iam.rego_modules import VIEW_WORKSPACES

pytestmark = pytest.mark.e2e

PASSWORD = "Regular-0n3-Passw0rd"
IAM = "iam.kubesphere.io/v1beta1"
WORKSPACE = "kubesphere.io/workspace"
THINGS = "/kapis/echo.dovetail.dev/v1"
READ = {"verbs": ["get", "list"], "apiGroups": ["echo.dovetail.dev"], "resources": ["things"]}
PEOPLE = ("ann", "bob")


def obj(
    kind: str, name: str, *, api: str = IAM, labels: Any = None, namespace: str = "", **more: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": labels or {}, "annotations": more.pop("annotations", {})}
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": metadata | ({"namespace": namespace} if namespace else {}),
        **more,
    }


def binding(kind: str, name: str, role: str, subject: str, of: str = "User", **more: Any) -> dict[str, Any]:
    subjects = [{"kind": of, "name": subject, "apiGroup": "rbac.authorization.k8s.io"}]
    reference = {"apiGroup": "iam.kubesphere.io", "kind": kind, "name": role}
    return obj(kind + "Binding", name, subjects=subjects, roleRef=reference, **more)


@pytest.fixture(scope="module")
def scoped() -> Iterator[World]:
    platform = Up(options=("--workers", "2"))
    try:
        world = world_on(platform)
        with echo() as url:
            served = obj("APIService", "v1.echo.dovetail.dev", api="extensions.kubesphere.io/v1alpha1")
            served["spec"] = {"group": "echo.dovetail.dev", "version": "v1", "url": url}
            shape = [
                served,
                obj("Namespace", "n1", api="v1", labels={WORKSPACE: "w1"}),
                obj("Namespace", "n2", api="v1", labels={WORKSPACE: "w2"}),
                obj("WorkspaceRole", "w1-reader", labels={WORKSPACE: "w1"}, rules=[READ]),
                obj("Role", "reader", namespace="n1", rules=[READ]),
                obj("ClusterRole", "reader", rules=[READ]),
                obj("GlobalRole", "rego-viewer", annotations={"iam.kubesphere.io/rego-override": VIEW_WORKSPACES}),
                obj(
                    "GlobalRole", "bad-rego", annotations={"iam.kubesphere.io/rego-override": "package authz\nallow {"}
                ),
                obj("Group", "readers"),
            ]
            world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(shape))
            for name in PEOPLE:
                spec = {"email": "", "password": PASSWORD}
                expect(world.send("POST", f"/kapis/{IAM}/users", "admin", obj("User", name, spec=spec)), 201)
                wait(lambda name=name: logs_in(world, name, PASSWORD), f"{name} to log in")
            wait(lambda: world.get(f"{THINGS}/things", "admin").code == 200, "the extension")
            yield world
    finally:
        platform.finish()


def apply(world: World, *objects: dict[str, Any]) -> None:
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))


def codes(world: World, user: str, path: str, times: int = 8) -> set[int]:
    """What several connections, so several workers, answer."""
    return {world.get(path, user).code for _ in range(times)}


def whoami(world: World, *arguments: str, code: int = 0) -> Any:
    kubeconfig = str(world.platform.kubeconfig)
    done = subprocess.run(
        [str(BIN / "dovetail"), "whoami", "--kubeconfig", kubeconfig, "--output", "json", *arguments],
        capture_output=True, text=True, cwd=ROOT, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


CASES = {
    "workspace": (
        binding("WorkspaceRole", "ann-w1", "w1-reader", "ann", labels={WORKSPACE: "w1"}),
        (f"{THINGS}/workspaces/w1/things", f"{THINGS}/namespaces/n1/things"),
        (f"{THINGS}/workspaces/w2/things", f"{THINGS}/namespaces/n2/things", f"{THINGS}/things"),
    ),
    "namespace": (
        binding("Role", "ann-n1", "reader", "ann", namespace="n1"),
        (f"{THINGS}/namespaces/n1/things",),
        (f"{THINGS}/workspaces/w1/things", f"{THINGS}/namespaces/n2/things", f"{THINGS}/things"),
    ),
    "cluster": (
        binding("ClusterRole", "ann-cluster", "reader", "ann"),
        (f"{THINGS}/things", f"{THINGS}/workspaces/w2/things", f"{THINGS}/namespaces/n2/things"),
        ("/kapis/other.dovetail.dev/v1/things",),
    ),
    "rego": (
        binding("GlobalRole", "ann-rego", "rego-viewer", "ann"),
        (f"{THINGS}/workspaces/w2/things", f"{THINGS}/namespaces/n1/things"),
        (f"{THINGS}/things",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("scope", CASES)
def test_a_binding_is_in_force_in_every_worker_within_a_second_and_so_is_its_end(scoped: World, scope: str) -> None:
    world, (bound, allowed, refused) = scoped, CASES[scope]
    before = {path: codes(world, "ann", path) for path in (*allowed, *refused)}
    assert set().union(*before.values()) <= {403, 404}
    apply(world, bound)
    begun = time.monotonic()
    took = wait(lambda: codes(world, "ann", allowed[0], 4) == {200}, "the binding", 5, every=0.005)
    print(f"{scope}: {took * 1000:.0f} ms after kubectl had the answer, four requests included")
    assert time.monotonic() - begun < 1
    assert all(codes(world, "ann", path) == {200} for path in allowed)
    assert all(not codes(world, "ann", path) & {200} for path in refused)
    assert codes(world, "bob", allowed[0]) == {403}
    place = ["-n", bound["metadata"]["namespace"]] if "namespace" in bound["metadata"] else []
    world.kubectl("delete", str(bound["kind"]).lower() + "s.iam.kubesphere.io", bound["metadata"]["name"], *place)
    assert wait(lambda: codes(world, "ann", allowed[0], 4) == {403}, "the end of it", 5, every=0.005) < 1


def test_a_group_is_resolved_at_the_request(scoped: World) -> None:
    """One log-in, before the group had anybody in it."""
    world, path = scoped, f"{THINGS}/workspaces/w1/things"
    name = "team-" + secrets.token_hex(3)
    group = binding("WorkspaceRole", name, "w1-reader", "readers", of="Group", labels={WORKSPACE: "w1"})
    member = obj("GroupBinding", name, groupRef={"kind": "Group", "name": "readers"}, users=["bob"])
    apply(world, group)
    assert codes(world, "bob", path) == {403}
    apply(world, member)
    assert wait(lambda: codes(world, "bob", path, 4) == {200}, "the membership", 5, every=0.005) < 1
    world.kubectl("delete", "groupbindings.iam.kubesphere.io", name)
    assert wait(lambda: codes(world, "bob", path, 4) == {403}, "the end of it", 5, every=0.005) < 1
    world.kubectl("delete", "workspacerolebindings.iam.kubesphere.io", name)


def test_whoami_explains_in_terms_of_objects(scoped: World) -> None:
    world = scoped
    apply(world, binding("WorkspaceRole", "bob-w1", "w1-reader", "bob", labels={WORKSPACE: "w1"}))
    apply(world, binding("GlobalRole", "bob-bad", "bad-rego", "bob"))
    yes = whoami(world, "--as", "bob", "--can", "list", "things.echo.dovetail.dev", "-n", "n1")
    assert yes["binding"] == 'WorkspaceRoleBinding "bob-w1" of workspace "w1"'
    assert (yes["role"], yes["subject"]) == ('workspace role "w1-reader" of workspace "w1"', 'User "bob"')
    assert yes["rule"]["verbs"] == ["get", "list"]
    no = whoami(world, "--as", "bob", "--can", "delete", "things.echo.dovetail.dev", "--workspace", "w1", code=1)
    assert "cannot delete" in no["reason"]
    assert any("allows get, list there, not delete" in note for note in no["notes"])
    assert any("cannot be used: line 2" in note for note in no["notes"])
    elsewhere = whoami(world, "--as", "bob", "--can", "GET", f"{THINGS}/workspaces/w2/things", code=1)
    assert any("allows it, but does not hold here" in note for note in elsewhere["notes"])
    ghost = whoami(world, "--as", "nobody", "--can", "list", "pods", code=1)
    assert any('no User "nobody"' in note for note in ghost["notes"])
    person = whoami(world, "--as", "bob")
    assert {held["role"] for held in person["bindings"]} >= {"w1-reader", "bad-rego"}
    assert whoami(world, "--as", "admin", "--can", "DELETE", "/api/v1/nodes/x")["role"] == 'role "platform-admin"'
    assert whoami(world)["user"], "whom the kubeconfig logs in"
