"""The examples of docs/roles.md, run as they stand there."""

import asyncio
import re
import shlex
from pathlib import Path
from typing import Any

from dovetail.apis import iam_v1beta1 as iam
from dovetail.apis.labels import WORKSPACE
from dovetail.apis.tenant_v1beta1 import WORKSPACES
from dovetail.iam import aggregation_controllers, bootstrap, instances, rbac_controllers, shipped
from dovetail.iam.builtin_roles import namespace_binding
from dovetail.iam.passwords import hash_password
from dovetail.kube.resources import CRDS, NAMESPACES
from tests.iam.role_rig import eventually, found, running

PAGE = (Path(__file__).parents[2] / "docs/roles.md").read_text()
MAKERS = (shipped.controllers, instances.controllers, aggregation_controllers.controllers, rbac_controllers.controllers)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[tuple[str, list[str]]]:
    """Each command with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


VERSION = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
CARTS = {
    "metadata": {"name": "carts.shop.example.com"},
    "spec": {
        "group": "shop.example.com", "scope": "Namespaced", "versions": [VERSION],
        "names": {"plural": "carts", "singular": "cart", "kind": "Cart", "listKind": "CartList"},
    },
}  # fmt: skip
"""The kind of the page's extension."""


async def test_the_page_is_true(own_kube_api: Any) -> None:
    from tests.conftest import install_crds

    await asyncio.to_thread(install_crds, own_kube_api)
    async with running(own_kube_api, *MAKERS) as client:
        await client.create(
            WORKSPACES, {"apiVersion": WORKSPACES.api_version, "kind": "Workspace", "metadata": {"name": "shop"}}
        )
        labelled = {"name": "shop-web", "labels": {WORKSPACE: "shop"}}
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": labelled})
        await client.create(iam.USERS, bootstrap.admin_user("viola", hash_password("Correct-horse1")))
        await client.create(iam.ROLEBINDINGS, namespace_binding("shop-web", "viewer", "viola"))
        await client.create(CRDS, CARTS)
        for manifest in blocks("yaml"):
            applied = await asyncio.to_thread(own_kube_api.kubectl, "apply", "-f", "-", stdin=manifest)
            assert applied.returncode == 0, applied.stderr
        await eventually(lambda: prints_all(own_kube_api))

        async def put_together() -> bool:
            desk = await client.get(iam.GLOBALROLES, "user-desk")
            team = await client.get(iam.CLUSTERROLES, "storage-team")
            auditor = await found(client, iam.ROLES, "auditor", "shop-web")
            return (
                len(desk["rules"]) == 1
                and [one.get("status", {}).get("templates") for one in (desk, team, auditor or {})] == [
                    ["global-view-roles", "global-view-users"],
                    ["cluster-manage-storage", "cluster-view-storage"],
                    ["namespace-view-members", "namespace-view-settings"],
                ]
            )  # fmt: skip

        await eventually(put_together)


async def prints_all(api: Any) -> bool:
    return all([await prints(api, command, lines) for command, lines in commands()])


async def prints(api: Any, command: str, lines: list[str]) -> bool:
    """Whether the command prints this, but for the ages of objects."""
    kubectl = command.partition(" | ")[0]
    answer = await asyncio.to_thread(api.kubectl, *shlex.split(kubectl)[1:])
    if " | grep -o " in command:
        return lines == [command.rpartition(" ")[2]] and lines[0] in answer.stdout
    return [line.split()[:3] for line in answer.stdout.splitlines()] == [line.split()[:3] for line in lines]
