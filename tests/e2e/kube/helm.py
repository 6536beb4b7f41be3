"""Rows: Helm 4, the binary and the SDK; every published package of the corpus."""

import base64
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.demo.platform import BIN, ROOT
from tests.e2e.kube.cluster import Cluster
from tests.e2e.kube.table import row
from tests.embedded_apiserver.charts import write_chart
from tests.finished_jobs import finished_status

AREA = "Helm"
HELM = "https://helm.sh/docs/helm/"
CORPUS = ROOT.parent / "shared" / "corpus"
# What an installation gives, too: the domain of the ingress. And what needs a node is left out: objects that a webhook
# of the package's own pods has to admit.
INGRESS: dict[str, Any] = {"global": {"extension": {"ingress": {"domainSuffix": "example.com"}}}}
VALUES = {"cert-manager": {"cert-manager": {"defaultIssuer": {"selfSigned": {"enabled": False}}}}}


@row(AREA, "install, upgrade, history, rollback and uninstall with the Helm 4 binary", "helm",
     HELM + "helm_upgrade/")  # fmt: skip
def binary(cluster: Cluster) -> None:
    ns = cluster.namespace()
    chart = str(write_chart(cluster.directory / f"chart-{ns}"))
    cluster.helm("install", "demo", chart, "-n", ns)
    cluster.helm("upgrade", "demo", chart, "-n", ns, "--set", "size=2,replicas=3,sidecar=false")
    assert cluster.get("-n", ns, "deploy/demo")["spec"]["replicas"] == 3
    assert "superseded" in cluster.helm("history", "demo", "-n", ns)
    cluster.helm("rollback", "demo", "1", "-n", ns)
    containers = cluster.get("-n", ns, "deploy/demo")["spec"]["template"]["spec"]["containers"]
    assert [c["name"] for c in containers] == ["c", "sidecar"]
    assert "demo" in cluster.helm("list", "-n", ns)
    cluster.helm("uninstall", "demo", "-n", ns)
    assert "NotFound" in cluster.kubectl("-n", ns, "get", "deploy/demo", code=1)
    cluster.kubectl("delete", "crd", "gadgets.gadgets.example.dev")


@row(AREA, "a dry run on the server shows what would come and leaves nothing", "helm", HELM + "helm_install/")
def helm_dry_run(cluster: Cluster) -> None:
    ns = cluster.namespace()
    chart = write_chart(cluster.directory / f"chart-{ns}")
    gadget = (chart / "templates/all.yaml").read_text().split("---\napiVersion: gadgets")[0]
    (chart / "templates/all.yaml").write_text(gadget)
    assert "kind: Deployment" in cluster.helm("install", "demo", str(chart), "-n", ns, "--dry-run=server")
    assert "NotFound" in cluster.kubectl("-n", ns, "get", "deploy/demo", code=1)


@row(
    AREA,
    "every published package of the corpus installs its objects and leaves none",
    "Helm SDK",
    HELM + "helm_install/",
)
def corpus(cluster: Cluster) -> None:
    import helm_python
    import pytest

    packages = sorted(CORPUS.glob("*.tgz"))
    if not packages:
        pytest.skip("the corpus of published packages is not here")
    kinds = subprocess.run([str(BIN / "dovetail"), "crds"], capture_output=True, text=True, check=True).stdout
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=kinds)
    cluster.kubectl("create", "namespace", "kubesphere-logging-system")  # which one package names
    for package in packages:
        _install(cluster, helm_python, package)


def _install(cluster: Cluster, helm: Any, package: Path) -> None:
    ns = cluster.namespace()
    with (
        helm.Config(kubeconfig_path=str(cluster.kubeconfig), namespace=ns) as client,
        finished_jobs(cluster, ns),
    ):
        client.install(str(package), "row", INGRESS | VALUES.get(package.name.rpartition("-")[0], {}))
        client.uninstall("row")
    for crd in definitions(package):
        shown = cluster.kubectl("get", "crd", crd["metadata"]["name"], code=None)
        if "NotFound" not in shown:
            cluster.kubectl("delete", "crd", crd["metadata"]["name"], "--timeout=30s")
    cluster.kubectl("delete", "ns", ns, "--wait=false")


@contextmanager
def finished_jobs(cluster: Cluster, ns: str) -> Iterator[None]:
    """Without a node nothing runs: the jobs of hooks are marked complete here, as a job controller would."""
    stop = threading.Event()

    def finish() -> None:
        path = f"/apis/batch/v1/namespaces/{ns}/jobs"
        while not stop.wait(0.2):
            for job in cluster.http("GET", path).json["items"]:
                if not job["status"].get("conditions"):
                    name, kind = job["metadata"]["name"], "application/merge-patch+json"
                    cluster.http("PATCH", f"{path}/{name}/status", {"status": finished_status(job)}, Content_Type=kind)

    thread = threading.Thread(target=finish)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def definitions(package: Path) -> list[Any]:
    """The CustomResourceDefinitions in `crds` folders of a chart and of those inside it."""
    found: list[Any] = []
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member) if "/crds/" in member.name else None
            if content is not None and member.name.endswith((".yaml", ".yml")):
                documents = yaml.load_all(BytesIO(content.read()), Loader=yaml.CSafeLoader)
                found += [d for d in documents if d and d.get("kind") == "CustomResourceDefinition"]
    return found


@row(AREA, "release records live in Secrets and are found by their labels", "Helm SDK",
     "https://helm.sh/docs/topics/advanced/#storage-backends")  # fmt: skip
def release_secrets(cluster: Cluster) -> None:
    ns = cluster.namespace()
    chart = write_chart(cluster.directory / f"chart-{ns}")
    (chart / "crds/gadgets.yaml").unlink()
    text = (chart / "templates/all.yaml").read_text().split("---\napiVersion: gadgets")[0]
    (chart / "templates/all.yaml").write_text(text)
    cluster.helm("install", "kept", str(chart), "-n", ns)
    (secret,) = cluster.get("-n", ns, "secrets", "-l", "owner=helm,name=kept")["items"]
    assert secret["type"] == "helm.sh/release.v1"
    assert base64.b64decode(secret["data"]["release"])
