"""`dovetail extension plan` as a program, with nothing but a kubeconfig: text, JSON, exit codes, approvals."""

import asyncio
import json
import sys
from pathlib import Path

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CONFIGMAPS, Client, NotFound
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, package, plan, publish, until_settled

NEXT = """\
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: hunter2-{{ .Chart.Version }}, random: {{ randAlphaNum 12 | quote }}}
"""


async def run(api: KubeApi, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dovetail.cli.dovetail", "extension", "plan", *arguments,
        "--kubeconfig", str(api.kubeconfig), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


async def test_it_is_read_approved_and_carried_out(platform_crds: KubeApi, tmp_path: Path) -> None:
    async with platform_crds.client() as client:
        await publish(client, "shown", "1.0.0", package("shown", "1.0.0", templates__keys_yaml=NEXT))
        await publish(client, "shown", "1.1.0", package("shown", "1.1.0", templates__keys_yaml=NEXT))
        values = tmp_path / "values.yaml"
        values.write_text("color: green\n")
        arguments = ("shown", "--version", "1.0.0", "--values", str(values), "--approve", "--output", "json")
        code, text, error = await run(platform_crds, *arguments)
        assert (code, error) == (0, "")
        shown = json.loads(text)
        assert (shown["operation"], shown["plugged"]["routes"]["added"]) == ("install", ["* /proxy/shown/*"])
        spec = (await client.get(INSTALLPLANS, "shown"))["spec"]
        assert spec["approval"] == {"required": True, "planHash": shown["hash"]}
        assert (spec["extension"]["version"], spec["config"]) == ("1.0.0", "color: green")
        async with controllers(platform_crds.kubeconfig):
            await until_settled(client, "shown", "1.0.0")
            settings = await client.get(CONFIGMAPS, "settings", "extension-shown")
            assert settings["data"]["color"] == "green"

            code, text, _ = await run(platform_crds, "shown", "--version", "1.1.0")
            assert (code, "~ Secret extension-shown/keys" in text, "hunter2" in text) == (0, True, False)
            assert text.startswith("upgrade shown 1.1.0 over 1.0.0 in namespace extension-shown\n")
            await client.patch(CONFIGMAPS, "settings", {"data": {"version": "moved"}}, "extension-shown")
            spec = {"approval": {"required": True, "planHash": text.rpartition("plan hash: ")[2].strip()}}
            await plan(client, "shown", "1.1.0", **spec)
            refused = await until_settled(client, "shown", "1.0.0", state="UpgradeFailed")
            assert "the objects in the cluster changed since" in str(refused["status"]["conditions"])
            assert (await client.get(CONFIGMAPS, "settings", "extension-shown"))["data"]["version"] == "moved"

            code, _, error = await run(platform_crds, "shown", "--version", "1.1.0", "--approve")
            assert (code, error) == (0, "")
            await until_settled(client, "shown", "1.1.0")


async def exists(client: Client, name: str) -> bool:
    try:
        await client.get(INSTALLPLANS, name)
    except NotFound:
        return False
    return True


async def test_what_blocks_is_exit_code_2_and_never_approved(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client:
        await publish(client, "barred", "1.0.0", package("barred", "1.0.0"), kubeVersion=">=99")
        code, text, error = await run(platform_crds, "barred", "--version", "1.0.0", "--approve")
        assert "! Incompatible: " in text
        assert (code, "is blocked, so it is not approved" in error) == (2, True)
        assert not await exists(client, "barred")
        code, _, error = await run(platform_crds, "barred", "--version", "3.0.0")
        assert (code, "there is 1.0.0" in error) == (1, True)
        assert "Traceback" not in error
