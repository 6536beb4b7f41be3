"""ksbuilder template and diff: what is rendered is what the platform installs."""

import json
from pathlib import Path

import yaml

from .command import SAMPLES, quick, refused

METADATA = """\
apiVersion: kubesphere.io/v1alpha1
name: tiny
version: {version}
displayName: {{en: Tiny}}
description: {{en: Tiny}}
category: dev-tools
provider: {{en: {{name: A}}}}
icon: https://example.org/icon.svg
installationMode: Multicluster
kubeVersion: ">=1.20.0-0"
dependencies:
  - {{name: front, tags: [extension]}}
  - {{name: back, tags: [agent], condition: back.enabled}}
"""
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
  namespace: {{ .Release.Namespace }}
data:
  role: {{ .Values.global.clusterInfo.role | quote }}
  registry: {{ .Values.global.imageRegistry | default "none" }}
  kube: {{ .Capabilities.KubeVersion.Version }}
  found: {{ lookup "v1" "Secret" .Release.Namespace "pw" | dig "data" "value" "nothing" }}
  color: {{ .Values.color | default "red" }}
  upgrade: {{ .Release.IsUpgrade | quote }}
"""


def extension(directory: Path, version: str = "0.1.0", template: str = TEMPLATE) -> Path:
    """A Multicluster extension with one sub-chart for each side."""
    for name in ("front", "back"):
        folder = directory / "charts" / name
        (folder / "templates").mkdir(parents=True)
        (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
        (folder / "templates" / "x.yaml").write_text(template)
    (directory / "charts/front/templates/test.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n"
    )
    (directory / "charts/back/crds").mkdir()
    (directory / "charts/back/crds/c.yaml").write_text("kind: CustomResourceDefinition\nmetadata: {name: c}\n")
    (directory / "extension.yaml").write_text(METADATA.format(version=version))
    (directory / "values.yaml").write_text("back: {enabled: true}\n")
    return directory


def rendered(*arguments: str | Path, cwd: Path) -> dict[str, list[dict[str, object]]]:
    """The objects of each release."""
    process = quick("template", *arguments, "-o", "json", cwd=cwd)
    assert process.returncode == 0, process.stderr
    return {view: [one["object"] for one in found] for view, found in json.loads(process.stdout).items()}


def test_host_and_agent(tmp_path: Path) -> None:
    extension(tmp_path / "tiny")
    found = rendered("tiny", "--skip-tests", cwd=tmp_path)
    (host,), (agent,) = found["host"], found["agent"]
    assert host["metadata"] == {"name": "tiny-front", "namespace": "extension-tiny"}
    assert agent["metadata"] == {"name": "tiny-agent-back", "namespace": "extension-tiny"}
    assert host["data"] == {
        "role": "host", "registry": "none", "kube": "v1.36.0", "found": "nothing", "color": "red", "upgrade": "false",
    }  # fmt: skip
    assert dict(agent["data"])["role"] == "member"  # type: ignore[call-overload]
    assert list(rendered("tiny", "--view", "agent", cwd=tmp_path)) == ["agent"]


def test_the_world_is_the_callers(tmp_path: Path) -> None:
    extension(tmp_path / "tiny")
    (tmp_path / "world.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: pw, namespace: here}\ndata: {value: eA==}\n"
    )
    (host,) = rendered(
        "tiny", "--skip-tests", "--view", "host", "--kube-version", "1.27.3", "--lookup", "world.yaml", "-n", "here",
        "--image-registry", "mirror.example.org", "--set", "front.color=blue", "--is-upgrade", cwd=tmp_path,
    )["host"]  # fmt: skip
    assert host["data"] == {
        "role": "host", "registry": "mirror.example.org", "kube": "v1.27.3", "found": "eA==", "color": "blue",
        "upgrade": "true",
    }  # fmt: skip
    sentence = refused(quick("template", "tiny", "--kube-version", "1.19", cwd=tmp_path))
    assert sentence.startswith("extension.yaml: it does not render: it asks for Kubernetes >=1.20.0-0, not 1.19.0.")


def test_what_is_shown(tmp_path: Path) -> None:
    extension(tmp_path / "tiny")
    whole = quick("template", "tiny", "--include-crds", cwd=tmp_path).stdout
    assert [document for document in yaml.safe_load_all(whole) if document]
    assert whole.count("# Source: ") == 4
    assert "# Source: charts/back/crds/c.yaml" in whole
    assert quick("template", "tiny", "-s", "charts/back/*", cwd=tmp_path).stdout.count("# Source: ") == 1
    assert "kind: Pod" not in quick("template", "tiny", "--no-hooks", cwd=tmp_path).stdout
    assert quick("template", "tiny", "--output-dir", "out", cwd=tmp_path).returncode == 0
    assert (tmp_path / "out/agent/charts/back/templates/x.yaml").read_text().startswith("apiVersion: v1")
    quick("package", "tiny", cwd=tmp_path)
    assert quick("template", "tiny-0.1.0.tgz", cwd=tmp_path).stdout.count("# Source: ") == 3


def test_diff_of_packages(tmp_path: Path) -> None:
    process = quick("diff", SAMPLES / "greeter", SAMPLES / "greeter-0.2.0", "-o", "json", "--exit-code", cwd=tmp_path)
    assert process.returncode == 1
    report = json.loads(process.stdout)
    assert (report["old"], report["new"]) == ("greeter 0.1.0", "greeter 0.2.0")
    assert {one["what"] for one in report["images"]} == {"greeter-backend:0.1.0", "greeter-backend:0.2.0"}
    assert {"Deployment.apps greeter-backend", "ConfigMap greeter-bundle"} <= {
        one["object"] for one in report["objects"]
    }
    same = quick("diff", SAMPLES / "greeter", SAMPLES / "greeter", "--exit-code", cwd=tmp_path)
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "no differences")
