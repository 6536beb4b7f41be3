"""Rows from Flux: upgrades that fail, and what is in force then."""

from typing import Any

from dovetail.kube import CONFIGMAPS
from tests.lifecycle.platform import package, publish, until_gone
from tests.lifecycle.scenarios.stage import QUICKLY, TEST, WORK, Stage, condition
from tests.lifecycle.scenarios.table import flux

ONCE = {"limit": 1, **QUICKLY}


@flux("upgrade-fail", "an upgrade that fails is told; the version in force is still the old one, and it is served")
async def upgrade_fail(stage: Stage) -> None:
    await stage.offer("1.0.0", "1.1.0", templates__work_yaml=WORK)
    await stage.plan("1.0.0", retry=ONCE)
    await stage.installed("1.0.0")
    await stage.plan("1.1.0", config="work: badly\n")
    obj = await stage.failed("1.0.0")
    assert condition(obj, "Upgraded")["status"] == "False"
    assert await stage.revisions() == {1: "deployed", 2: "failed"}
    await stage.serves()


@flux("upgrade-test-fail", "an upgrade whose Helm tests fail has failed")
async def upgrade_test_fail(stage: Stage) -> None:
    await stage.offer("1.0.0", "1.1.0", templates__test_yaml=TEST)
    await stage.plan("1.0.0", retry=ONCE, tests={"enabled": True})
    await stage.installed("1.0.0")
    await stage.told("Tested", "True")
    await stage.plan("1.1.0", config="probe: badly\n")
    await stage.failed("1.0.0")
    await stage.told("Tested", "False")
    assert (await stage.revisions())[2] == "failed"


@flux("upgrade-fail-remediate", "with `onUpgradeFailure: Rollback` the last good revision is brought back, and told")
async def upgrade_fail_remediate(stage: Stage) -> None:
    await stage.offer("1.0.0", "1.1.0", templates__work_yaml=WORK)
    await stage.plan("1.0.0", retry=ONCE, onUpgradeFailure="Rollback")
    await stage.installed("1.0.0")
    await stage.plan("1.1.0", config="work: badly\n")
    await stage.failed("1.0.0")
    await stage.told("RolledBack", "True")
    assert list((await stage.revisions()).values())[-1] == "deployed"
    assert (await stage.settings())["version"] == "1.0.0"
    await until_gone(stage.client, CONFIGMAPS, "only-in-1.1.0", stage.namespace)


@flux("upgrade-fail-retry", "each failed attempt is rolled back before the next one; then it rests on the good version")
async def upgrade_fail_retry(stage: Stage) -> None:
    await stage.offer("1.0.0", "1.1.0", templates__work_yaml=WORK)
    await stage.plan("1.0.0", retry={"limit": 2, **QUICKLY}, onUpgradeFailure="Rollback")
    await stage.installed("1.0.0")
    await stage.plan("1.1.0", config="work: badly\n")
    await stage.failed("1.0.0", attempts=2)
    obj = await stage.until(lambda obj: _rollbacks(obj) == 2, "two roll-backs")
    assert obj["status"]["state"] == "UpgradeFailed"
    assert max(await stage.revisions()) == 5
    assert (await stage.settings())["version"] == "1.0.0"


def _rollbacks(obj: dict[str, Any]) -> int:
    history = obj["status"].get("history", [])
    return sum((record["action"], record["outcome"]) == ("Rollback", "Succeeded") for record in history)


@flux("upgrade-fail-remediate-uninstall", "after a failed upgrade the extension can be uninstalled and installed anew",
      "there is no strategy that uninstalls by itself: that would delete what users keep in it")  # fmt: skip
async def upgrade_fail_remediate_uninstall(stage: Stage) -> None:
    await stage.offer("1.0.0", "1.1.0", templates__work_yaml=WORK)
    await stage.plan("1.0.0", retry=ONCE)
    await stage.installed("1.0.0")
    await stage.plan("1.1.0", config="work: badly\n")
    await stage.failed("1.0.0")
    await stage.leave()
    await stage.plan("1.1.0")
    await stage.installed("1.1.0")
    assert await stage.revisions() == {1: "deployed"}


@flux("upgrade-chart-name-change", "a package that is called otherwise is another extension: it is refused by name",
      "Flux uninstalls or upgrades in place; here what is in force stays")  # fmt: skip
async def upgrade_chart_name_change(stage: Stage) -> None:
    await stage.offer("1.0.0")
    await stage.plan("1.0.0", retry=ONCE)
    await stage.installed("1.0.0")
    await publish(stage.client, stage.name, "1.1.0", package("renamed", "1.1.0"))
    await stage.plan("1.1.0")
    obj = await stage.failed("1.0.0")
    message = condition(obj, "Upgraded")["message"]
    assert "renamed 1.1.0" in message
    assert f"{stage.name} 1.1.0" in message
    assert (await stage.settings())["version"] == "1.0.0"
    await stage.serves()
