"""Rows: API servers behind this one."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.certificates import make_certificate
from tests.e2e.kube.cluster import Cluster, eventually
from tests.e2e.kube.table import row
from tests.embedded_apiserver import extension_server

SUMS = "apiservices.apiregistration.k8s.io/v1.sums.example.dev"


@contextmanager
def sums_server(cluster: Cluster, ns: str) -> Iterator[None]:
    """The aggregated API server of the tests, behind a Service in the namespace; gone again at the end."""
    folder = cluster.directory / ns
    made = make_certificate(folder, "sums", (f"sums.{ns}.svc",))
    made.chain.rename(folder / "tls.crt")
    made.key.rename(folder / "tls.key")
    facts = cluster.get("-n", "kube-system", "cm/extension-apiserver-authentication")["data"]
    (folder / "front.crt").write_text(facts["requestheader-client-ca-file"])
    command = [sys.executable, str(extension_server.__file__), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            cluster.kubectl("-n", ns, "create", "service", "externalname", "sums", "--external-name=localhost")
            cluster.kubectl("create", "-f", "-", stdin={
                "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                "metadata": {"name": "v1.sums.example.dev"},
                "spec": {
                    "group": "sums.example.dev", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10,
                    "service": {"name": "sums", "namespace": ns, "port": port}, "caBundle": made.base64,
                },
            })  # fmt: skip
            cluster.kubectl("wait", "--for=condition=Available", SUMS)
            yield
        finally:
            cluster.kubectl("delete", SUMS, "--ignore-not-found", code=None)
            process.kill()


@row("Custom resources", "an aggregated API server is probed, discovered, and asked in the user's name", "kubectl",
     "concepts/extend-kubernetes/api-extension/apiserver-aggregation/")  # fmt: skip
def aggregated_server(cluster: Cluster) -> None:
    ns = cluster.namespace()
    with sums_server(cluster, ns):
        assert " su " in cluster.kubectl("api-resources", "--api-group=sums.example.dev")
        found = cluster.get("-n", ns, "sums/one", "--as=eve", "--as-group=system:masters")
        assert found["headers"]["x-remote-user"] == ["eve"]
        cluster.kubectl("delete", SUMS)
        eventually(lambda: cluster.http("GET", "/apis/sums.example.dev/v1").code == 404)
