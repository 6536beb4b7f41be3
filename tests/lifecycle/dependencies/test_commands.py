"""`dovetail extension install` and `dependencies`, as processes of their own, with real controllers and packages."""

import asyncio
import json
import subprocess
import sys
from typing import Any

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS, INSTALLPLANS
from dovetail.kube import Client
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled


async def dovetail(api: KubeApi, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "dovetail.cli.dovetail", "extension", *arguments]
    run = lambda: subprocess.run(  # noqa: E731
        [*command, "--kubeconfig", str(api.kubeconfig)], capture_output=True, text=True, timeout=60
    )
    return await asyncio.to_thread(run)


async def offer(client: Client, name: str, version: str, *needs: dict[str, Any]) -> None:
    await publish(client, name, version, package(name, version), externalDependencies=list(needs))


async def test_an_extension_is_installed_with_what_it_needs_and_kept_while_needed(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await offer(client, "dbase", "1.0.0")
        await offer(client, "dbase", "2.0.0")
        await offer(client, "dshop", "1.0.0", {"name": "dbase", "version": ">=1.0.0 <2", "required": True})
        await offer(client, "dshop", "2.0.0", {"name": "dbase", "version": ">=9", "required": True})

        shown = await dovetail(platform_crds, "dependencies", "dshop", "--version", "1.0.0")
        assert shown.returncode == 2, shown
        assert "dbase >=1.0.0 <2 (required): not installed; 1.0.0 would do" in shown.stdout
        refused = await dovetail(platform_crds, "install", "dshop")
        assert refused.returncode == 2, refused
        assert "  - install dbase 1.0.0\n  - install dshop 1.0.0\nNothing was done." in refused.stdout
        told = await dovetail(platform_crds, "install", "dshop", "--version", "2.0.0", "--output", "json")
        assert told.returncode == 2, told
        core = json.loads(told.stdout)["conflict"]["core"]
        assert "dshop 2.0.0 needs dbase >=9; there is 1.0.0, 2.0.0" in [one["en"] for one in core]
        assert not {"dbase", "dshop"} & {obj["metadata"]["name"] for obj in (await client.list(INSTALLPLANS)).items}

        # A plan made by hand waits, in words, and goes on by itself.
        await plan(client, "dshop", "1.0.0")
        held = await until(
            lambda: client.get(INSTALLPLANS, "dshop"),
            lambda obj: obj.get("status", {}).get("reason") == "DependencyMissing",
            "the refusal",
        )
        conditions = {one["type"]: one["message"] for one in held["status"]["conditions"]}
        assert "needs dbase >=1.0.0 <2, which is not installed; install dbase 1.0.0" in conditions["Dependencies"]
        done = await dovetail(platform_crds, "install", "dbase", "--version", "<2", "--wait")
        assert done.returncode == 0, done
        assert "dbase: Installed 1.0.0" in done.stderr
        await until_settled(client, "dshop", "1.0.0")

        blocked = await dovetail(platform_crds, "install", "dbase", "--version", "2.0.0")
        assert blocked.returncode == 2, blocked
        assert "dshop 1.0.0 is installed and stays" in blocked.stdout
        await client.delete(INSTALLPLANS, "dbase")
        await until(
            lambda: client.get(INSTALLPLANS, "dbase"),
            lambda obj: "dshop" in json.dumps(obj["status"].get("conditions", [])),
            "the uninstall that waits",
        )
        await client.delete(INSTALLPLANS, "dshop")
        for name in ("dshop", "dbase"):
            await until_gone(client, INSTALLPLANS, name)

        done = await dovetail(platform_crds, "install", "dshop", "--with-dependencies", "--wait", "--output", "json")
        assert done.returncode == 0, done
        assert [one["extension"] for one in json.loads(done.stdout)["changes"]] == ["dbase", "dshop"]
        for name in ("dshop", "dbase"):
            await until_settled(client, name, "1.0.0")
            await client.delete(INSTALLPLANS, name)
        for name in ("dshop", "dbase"):
            await until_gone(client, INSTALLPLANS, name)
        for name in ("dbase-1.0.0", "dbase-2.0.0", "dshop-1.0.0", "dshop-2.0.0"):
            await client.delete(EXTENSIONVERSIONS, name)


async def test_an_unknown_extension_is_said_so(platform_crds: KubeApi) -> None:
    done = await dovetail(platform_crds, "install", "nothing-of-the-kind")
    assert done.returncode == 1
    assert "No version nothing-of-the-kind is known. Add a repository that has it" in done.stderr
