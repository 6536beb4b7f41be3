"""Automatic upgrades: the rule as a table, then once in a real platform."""

from datetime import datetime
from typing import Any

import pytest

from dovetail.apis.dialects import install_plan
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, INSTALLPLANS, SUBSCRIPTIONS
from dovetail.kube import CONFIGMAPS
from dovetail.lifecycle.automatic_upgrades import Later, Stay, Upgrade, choose
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, make, package, publish, until, until_gone, until_settled

NIGHT = {"maintenanceWindow": {"start": "02:00", "duration": "1h"}}
INSTALLED = {"state": "Installed", "observedGeneration": 1}
GAVE_UP = {**INSTALLED, "state": "UpgradeFailed", "operation": {"attempts": 5, "patience": 5}}
TRYING = {**INSTALLED, "state": "UpgradeFailed", "operation": {"attempts": 2, "patience": 5}}
REJECTED = {**INSTALLED, "state": "InstallFailed", "operation": {"problem": "it does not fit"}}
NOON, NIGHTLY = "2026-11-21T12:00:00+00:00", "2026-11-21T02:10:00+00:00"


def chosen(spec: dict[str, Any], status: dict[str, Any], recommended: str = "1.1.0", at: str = NOON) -> Any:
    obj = {
        "apiVersion": "kubesphere.io/v1alpha1",
        "kind": "InstallPlan",
        "metadata": {"name": "one"},
        "spec": {"extension": {"name": "one", "version": "1.0.0"}, "upgradeStrategy": "Automatic", **spec},
    }
    return choose(install_plan(obj), status, 1, recommended, datetime.fromisoformat(at))


@pytest.mark.parametrize(
    ("spec", "status", "recommended", "expected"),
    [
        ({}, INSTALLED, "1.1.0", Upgrade("1.1.0")),
        ({}, INSTALLED, "1.0.0", Stay()),
        ({}, INSTALLED, "0.9.0", Stay()),
        ({}, INSTALLED, "", Stay()),
        ({}, INSTALLED, "no version", Stay()),
        ({"upgradeStrategy": "Manual"}, INSTALLED, "1.1.0", Stay()),
        ({"paused": True}, INSTALLED, "1.1.0", Stay()),
        ({"approval": {"required": True}}, INSTALLED, "1.1.0", Stay()),
        ({}, {"state": "Upgrading", "observedGeneration": 1}, "1.1.0", Stay()),
        ({}, {"state": "Installed", "observedGeneration": 0}, "1.1.0", Stay()),
        ({}, {}, "1.1.0", Stay()),
        ({}, GAVE_UP, "1.1.0", Upgrade("1.1.0")),
        ({}, TRYING, "1.1.0", Stay()),
        ({"retry": {"limit": 2}}, TRYING, "1.1.0", Upgrade("1.1.0")),
        ({"retry": {"limit": 0}}, GAVE_UP, "1.1.0", Stay()),
        ({}, REJECTED, "1.1.0", Upgrade("1.1.0")),
        (NIGHT, INSTALLED, "1.1.0", Later(14 * 3600.0)),
        (NIGHT, INSTALLED, "1.0.0", Stay()),
    ],
)
def test_the_rule(spec: dict[str, Any], status: dict[str, Any], recommended: str, expected: object):
    assert chosen(spec, status, recommended) == expected


def test_an_open_window():
    assert chosen(NIGHT, INSTALLED, at=NIGHTLY) == Upgrade("1.1.0")


async def test_plans_follow_what_is_recommended(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        automatic = {"upgradeStrategy": "Automatic"}
        for name in ("plain", "seeded", "manual"):
            await publish(client, name, "1.0.0", package(name, "1.0.0"))
            reference = {"extension": {"name": name, "version": "1.0.0"}}
            kind = SUBSCRIPTIONS if name == "seeded" else INSTALLPLANS
            await make(client, kind, name, spec={**reference, **({} if name == "manual" else automatic)})
        for name in ("plain", "seeded", "manual"):
            await until_settled(client, name, "1.0.0")
            await publish(client, name, "1.1.0", package(name, "1.1.0"))
        await until_settled(client, "plain", "1.1.0")
        await until_settled(client, "seeded", "1.1.0")
        assert (await client.get(SUBSCRIPTIONS, "seeded"))["spec"]["extension"]["version"] == "1.1.0"
        assert (await client.get(CONFIGMAPS, "settings", "extension-seeded"))["data"]["version"] == "1.1.0"
        await until(
            lambda: client.get(EXTENSIONS, "manual"),
            lambda obj: obj["status"]["recommendedVersion"] == "1.1.0",
            "the recommendation",
        )
        assert (await client.get(INSTALLPLANS, "manual"))["spec"]["extension"]["version"] == "1.0.0"
        await client.delete(SUBSCRIPTIONS, "seeded")
        for name in ("plain", "manual"):
            await client.delete(INSTALLPLANS, name)
        for name in ("plain", "seeded", "manual"):
            await until_gone(client, INSTALLPLANS, name)
