"""`dovetail doctor` as a user calls it: a platform that is well, one without controllers, and no cluster at all."""

import json
import subprocess
from pathlib import Path

from tests.e2e.demo.platform import BIN
from tests.e2e.demo.world import World, wait
from tests.lifecycle.museum import serving


def doctor(kubeconfig: Path | str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(BIN / "dovetail"), "doctor", "--kubeconfig", str(kubeconfig), "--patience", "2", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=50)


def test_a_platform_that_is_well(world: World) -> None:
    told = doctor(world.platform.kubeconfig, "greeter", "--lang", "en")
    assert (told.returncode, told.stdout) == (0, "greeter: Installed 0.1.0 enabled - no problem found\n"), told
    overview = doctor(world.platform.kubeconfig, "--output", "json")
    assert overview.returncode == 0, overview.stdout
    document = json.loads(overview.stdout)
    assert document["healthy"] is True
    assert {cause["severity"] for one in document["diagnoses"] for cause in one["causes"]} <= {"note"}


def test_an_unknown_extension_and_no_cluster(world: World, tmp_path: Path) -> None:
    unknown = doctor(world.platform.kubeconfig, "no-such", "--lang", "zh")
    assert unknown.returncode == 1
    assert "没有名为 no-such 的扩展组件" in unknown.stdout
    nowhere = tmp_path / "kubeconfig"
    text = Path(world.platform.kubeconfig).read_text()
    nowhere.write_text(text.replace(f":{world.platform.kube_port}", ":9"))
    blind = doctor(nowhere, "greeter")
    assert (blind.returncode, blind.stdout) == (2, ""), blind
    assert "cannot be used" in blind.stderr


def test_fix_leaves_alone_what_it_cannot_mend(world: World) -> None:
    """A version that nobody published cannot be had by trying again."""
    world.plan("late", "1.0.0")
    try:
        wait(lambda: world.plan_status("late").get("state") == "InstallFailed", "the refusal")
        told = doctor(world.platform.kubeconfig, "late", "--fix", "--output", "json")
        cause = json.loads(told.stdout)["diagnoses"][0]["causes"][0]
        assert (told.returncode, cause["cause"], cause["fix"]["retry"]) == (1, "VersionNotFound", None)
        assert json.loads(told.stdout)["mended"] == []
        assert cause["message"]["zh"].startswith("计划所要的版本没有发布")
    finally:
        world.send("DELETE", "/apis/kubesphere.io/v1alpha1/installplans/late", "admin")
        wait(lambda: world.plan_status("late") == {}, "the plan to go")


def test_fix_reads_a_repository_again_that_is_back(world: World) -> None:
    with serving() as museum:
        museum.files["index.yaml"] = b"entries: {}"
        museum.broken.add("index.yaml")
        meta = {"apiVersion": "kubesphere.io/v1alpha1", "kind": "Repository", "metadata": {"name": "ailing"}}
        world.kubectl("apply", "-f", "-", stdin=json.dumps({**meta, "spec": {"url": museum.url}}))
        try:
            state = ("get", "repositories.kubesphere.io", "ailing", "-o", "jsonpath={.status.state}")
            wait(lambda: world.kubectl(*state) == "Failed", "the refusal")
            told = doctor(world.platform.kubeconfig, "--lang", "en")
            assert told.returncode == 1
            assert "problem RepositoryUnreachable" in told.stdout
            museum.broken.clear()
            mended = doctor(world.platform.kubeconfig, "--fix", "--output", "json")
            document = json.loads(mended.stdout)
            assert (mended.returncode, document["healthy"]) == (0, True), mended
            assert document["mended"] == [{"kind": "Repository", "name": "ailing", "namespace": ""}]
        finally:
            world.kubectl("delete", "repositories.kubesphere.io", "ailing")
