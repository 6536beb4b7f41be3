"""Published packages through the whole lifecycle: installed as their own account, and gone without a trace."""

from pathlib import Path

import pytest

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.packaging import read_package
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, plan, publish, until, until_gone
from tests.lifecycle.test_plans import labelled

PACKAGES = sorted((Path(__file__).parents[3] / "shared" / "corpus").glob("*.tgz"))
NEEDS_OTHERS = {"ob-operator": "cert-manager.io"}
"""Packages that need kinds of another extension, and the words that say so."""


@pytest.mark.skipif(not PACKAGES, reason="no published packages on this machine")
@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.stem)
async def test_a_published_package_comes_and_goes(platform_crds: KubeApi, path: Path) -> None:
    data = path.read_bytes()  # noqa: ASYNC240
    package = read_package(data)
    name, missing = package.name, NEEDS_OTHERS.get(package.name)
    settings = {"hook_timeout": 5, "ingress": {"domainSuffix": "localhost"}}
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig, **settings):
        await publish(client, name, package.version, data)
        await plan(client, name, package.version)
        obj = await until(
            lambda: client.get(INSTALLPLANS, name),
            lambda obj: obj.get("status", {}).get("state") in ("Installed", "InstallFailed"),
            "an outcome",
        )
        told = {condition["reason"]: condition["message"] for condition in obj["status"]["conditions"]}
        assert obj["status"]["state"] == ("InstallFailed" if missing else "Installed"), told
        assert missing is None or missing in told["HelmFailed"]
        assert await labelled(client, name)
        await client.delete(INSTALLPLANS, name)
        await until_gone(client, INSTALLPLANS, name)
        await until(lambda: labelled(client, name), lambda found: found == [], "an end without a trace")
