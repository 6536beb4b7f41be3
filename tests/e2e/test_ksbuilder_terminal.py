"""The commands that need a platform, on a real terminal."""

import re
from pathlib import Path

import pytest

from tests.e2e.demo.world import World
from tests.e2e.running import tiny_extension, uninstall
from tests.ksbuilder.terminals import interrupt, shown, terminal

pytestmark = pytest.mark.e2e


def test_what_an_author_sees(world: World, tmp_path: Path) -> None:
    source = tiny_extension(tmp_path / "sources", "seen")
    there = {"KUBECONFIG": str(world.platform.kubeconfig)}
    assert shown("publish", source, cwd=tmp_path, **there).splitlines() == [
        f"publish extension {source}",
        "created ConfigMap kubesphere-system/extension-seen-1.0.0-chart",
        "unchanged Category dev-tools",
        "created ExtensionVersion seen-1.0.0",
        "created Extension seen",
        "published seen 1.0.0",
    ]
    listed = [line.split() for line in shown("list", cwd=tmp_path, **there).splitlines()]
    assert listed[0] == ["NAME", "VERSION", "DESCRIPTION"]
    assert ["seen", "1.0.0", "One", "ConfigMap."] in listed
    got = shown("get", "seen", cwd=tmp_path, **there).splitlines()
    assert got[0].split() == ["Name:", "seen"]
    assert got[1].split() == ["Status:", "Published"]

    with terminal("dev", source, cwd=tmp_path, code=130, **there) as child:
        child.expect(r"seen 1\.0\.0 is in force \(\d+\.\d s\)\r\n")
        (source / "extension.yaml").write_text(
            (source / "extension.yaml").read_text() + "dependencies: [{name: lost}]\n"
        )
        child.expect(r"the dependency lost is not in charts/")
        text = (source / "extension.yaml").read_text()
        (source / "extension.yaml").write_text(
            text.replace("dependencies: [{name: lost}]\n", "home: https://a.example\n")
        )
        child.expect(r"seen 1\.0\.0 is in force \(\d+\.\d s\): extension\.yaml\r\n")
        interrupt(child)
    assert "https://a.example" in world.kubectl("get", "extensionversion", "seen-1.0.0", "-o", "yaml")

    refused = shown("unpublish", "seen", cwd=tmp_path, code=1, **there)
    assert re.search(r"seen is installed \(Installed\) and stays published\. .*unpublish it\.", refused)
    uninstall(world, "seen")
    assert shown("unpublish", "seen", cwd=tmp_path, **there).splitlines() == [
        "unpublish extension seen",
        "deleted Extension seen",
        "deleted ExtensionVersion seen-1.0.0",
        "deleted ConfigMap kubesphere-system/extension-seen-1.0.0-chart",
    ]
