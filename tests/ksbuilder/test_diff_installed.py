"""ksbuilder diff against what is installed, and template --live: Helm and a real Kubernetes API."""

import json
from pathlib import Path
from typing import Any

from dovetail.helm import Connection, Deploy, HelmWorker, Values
from dovetail.kube import NAMESPACES, SECRETS
from dovetail.packaging import build, read_directory
from tests.conftest import KubeApi

from .command import ksbuilder, refused
from .test_template import extension

MIXED = """\
{apiVersion: v1, kind: ConfigMap, metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: steady}}
"""


async def test_what_an_upgrade_would_change(platform_crds: KubeApi, tmp_path: Path) -> None:
    api = platform_crds
    old = extension(tmp_path / "tiny")
    new = extension(tmp_path / "newer" / "tiny", version="0.2.0")
    for source in (old, new):
        (source / "charts/front/templates/mixed.yaml").write_text(MIXED)
    for file in new.glob("charts/front/templates/x.yaml"):
        file.write_text(file.read_text().replace('"red"', '"green"'))
    common = ("--kubeconfig", api.kubeconfig, "-n", "extension-tiny")
    assert "tiny is not installed" in refused(ksbuilder("diff", new, *common, cwd=tmp_path))
    async with api.client() as client:
        await client.create(
            NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "extension-tiny"}}
        )
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pw", "namespace": "extension-tiny"}}
        await client.create(SECRETS, {**secret, "data": {"value": "eA=="}})
    async with HelmWorker() as helm:
        connection = Connection(namespace="extension-tiny", kubeconfig=str(api.kubeconfig))
        overrides: dict[str, Any] = {"tags": {"extension": True, "agent": False}, "back": {"enabled": False}}
        overrides["global"] = {"clusterInfo": {"name": "host", "role": "host"}}
        chart = build(read_directory(old)).data
        values, labels = Values("", overrides), {"kubesphere.io/extension-ref": "tiny"}
        operation = Deploy(release="tiny", chart=chart, connection=connection, values=values, object_labels=labels)
        await helm.call(operation)
    report = json.loads(ksbuilder("diff", new, *common, "-o", "json", cwd=tmp_path).stdout)
    (change,) = report["objects"]
    assert (change["view"], change["object"], change["change"]) == (
        "host",
        "ConfigMap extension-tiny/tiny-front",
        "changed",
    )
    lines = {line for line in change["diff"][2:] if line[0] in "+-"}
    assert {"-  color: red", "+  color: green"} <= lines
    live = ksbuilder("template", old, "--view", "host", "--live", *common, cwd=tmp_path).stdout
    assert "found: eA==" in live
    assert "kube: v1." in live
