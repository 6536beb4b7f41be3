"""Eight kinds of callers on a platform with two tenants.

`acme` is ours: a workspace with a project. `zebrafish` is somebody else's; its name is in no document and in no request
of the fuzzer, so an answer that holds it is a leak.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.demo.world import World, expect, wait
from tests.e2e.running import Up, world_on

IAM = "/kapis/iam.kubesphere.io/v1beta1"
TENANT = "/kapis/tenant.kubesphere.io/v1beta1"
OURS, THEIRS = "acme", "zebrafish"
PASSWORD = "Every-Ca11er-Passw0rd"

ANONYMOUS = "anonymous"
CALLERS = (
    ANONYMOUS, "regular", "provisioner", "project-viewer", "project-admin", "workspace-viewer", "workspace-admin",
    "platform-admin",
)  # fmt: skip
_GLOBAL_ROLES = {"provisioner": "platform-self-provisioner", "platform-admin": "platform-admin"}
_SPARE = ("project-admin", "workspace-admin", "platform-admin")


@dataclass
class Tenants:
    """The platform, who calls, and what is there."""

    world: World
    tokens: dict[str, str] = field(default_factory=dict)

    def user_of(self, caller: str) -> str:
        return caller if caller != ANONYMOUS else "nobody"

    def fresh_token(self, caller: str) -> str:
        """A token of a session of its own, for requests that end sessions."""
        if caller == ANONYMOUS:
            return ""
        form = {"grant_type": "password", "username": caller, "password": PASSWORD, "client_id": "kubesphere"}
        answer = self.world.web.call("POST", f"{self.world.url}/oauth/token", form=form)
        expect(answer, 200)
        return str(answer.json["access_token"])

    def spare(self, caller: str, workspace: str = OURS) -> str:
        """A project that this caller may delete, if there is one that he may; the usual one otherwise."""
        if workspace == THEIRS:
            return f"{THEIRS}-spare" if caller == "platform-admin" else f"{THEIRS}-web"
        return f"{OURS}-spare-{caller}" if caller in _SPARE else f"{OURS}-web"


def project(workspace: str) -> str:
    """The project of a workspace."""
    return f"{workspace}-web"


def make_tenants(platform: Up) -> Tenants:
    """Start the platform and fill it, all through its own API."""
    tenants = Tenants(world_on(platform))
    world = tenants.world
    with ThreadPoolExecutor(4) as pool:  # passwords are hashed, controllers are waited for: side by side
        names = (*CALLERS[1:], f"{THEIRS}-owner")
        list(pool.map(lambda name: _user(world, name, _GLOBAL_ROLES.get(name, "platform-regular")), names))
        spares = [tenants.spare(caller) for caller in _SPARE]
        made = [
            pool.submit(_workspace, world, OURS, "workspace-admin", [project(OURS), *spares]),
            pool.submit(_workspace, world, THEIRS, f"{THEIRS}-owner", [project(THEIRS), f"{THEIRS}-spare"]),
        ]
        tenants.tokens |= dict(zip(CALLERS[1:], pool.map(tenants.fresh_token, CALLERS[1:]), strict=True))
        for one in made:
            one.result()
    world.tokens |= tenants.tokens
    _members(world, f"{IAM}/workspaces/{OURS}/workspacemembers", {
        "workspace-viewer": f"{OURS}-viewer", "project-viewer": f"{OURS}-regular", "project-admin": f"{OURS}-regular",
    })  # fmt: skip
    _members(world, f"{IAM}/namespaces/{project(OURS)}/namespacemembers",
             {"project-viewer": "viewer", "project-admin": "admin"})  # fmt: skip
    for caller in _SPARE:
        _members(world, f"{IAM}/namespaces/{tenants.spare(caller)}/namespacemembers", {"project-admin": "admin"})
    _wait_in_force(tenants)
    return tenants


def _wait_in_force(tenants: Tenants) -> None:
    """Every worker knows of the last membership: it answers several times in a row, over fresh connections."""
    world = tenants.world
    for caller, path in (
        ("project-viewer", f"{IAM}/namespaces/{project(OURS)}/namespacemembers"),
        ("workspace-viewer", f"{IAM}/workspaces/{OURS}/workspacemembers"),
        ("workspace-admin", f"{IAM}/namespaces/{tenants.spare('platform-admin')}/roles"),
        ("project-admin", f"{IAM}/namespaces/{tenants.spare('project-admin')}/roles"),
    ):

        def stays(caller: str = caller, path: str = path) -> bool:
            return all(world.get(path, caller).code == 200 for _ in range(6))

        wait(stays, f"{path} to be open to {caller}", also=lambda c=caller, p=path: repr(world.get(p, c)))


def _user(world: World, name: str, role: str) -> None:
    metadata = {"name": name, "annotations": {"iam.kubesphere.io/globalrole": role}}
    spec = {"email": f"{name}@example.org", "password": PASSWORD}
    expect(world.send("POST", f"{IAM}/users", "admin", _object("iam", "User", metadata, spec=spec)), 201)


def _workspace(world: World, name: str, manager: str, projects: list[str]) -> None:
    spec = {"template": {"spec": {"manager": manager}}}
    body = _object("tenant", "WorkspaceTemplate", {"name": name}, spec=spec)
    expect(world.send("POST", f"{TENANT}/workspacetemplates", "admin", body), 201)
    viewer = f"{IAM}/workspaces/{name}/workspaceroles/{name}-regular"
    wait(lambda: world.get(viewer, "admin").code == 200, f"the roles of {name}")
    for one in projects:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one}}
        expect(world.send("POST", f"{TENANT}/workspaces/{name}/namespaces", "admin", body), 201)
    for one in projects:
        role = f"{IAM}/namespaces/{one}/roles/viewer"
        wait(lambda role=role: world.get(role, "admin").code == 200, f"the roles of {one}")


def _members(world: World, path: str, roles: dict[str, str]) -> None:
    body = [{"username": user, "roleRef": role} for user, role in roles.items()]
    expect(world.send("POST", path, "admin", body), 201)


def _object(group: str, kind: str, metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"apiVersion": f"{group}.kubesphere.io/v1beta1", "kind": kind, "metadata": metadata, **more}
