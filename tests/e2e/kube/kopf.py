"""Rows: an operator written with kopf, run as its authors run it."""

import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.demo.platform import BIN
from tests.e2e.kube.cluster import Cluster, eventually
from tests.e2e.kube.custom import serve
from tests.e2e.kube.samples import custom, definition
from tests.e2e.kube.table import row


@row("Client libraries", "a kopf operator: handlers, finalizers, patches of status, events, adoption", "kopf",
     "concepts/extend-kubernetes/operator/")  # fmt: skip
def operator(cluster: Cluster) -> None:
    crd = definition("claims", "Claim", {"size": {"type": "string"}}, subresources={"status": {}})
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] = True
    ns = serve(cluster, crd)
    log = cluster.directory / "kopf.log"
    program = Path(__file__).with_name("operator_program.py")
    with log.open("wb") as output:
        running = subprocess.Popen(
            [str(BIN / "kopf"), "run", str(program), "-n", ns, "--standalone"],
            stdout=output, stderr=output, env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        )  # fmt: skip
    try:
        cluster.kubectl("-n", ns, "create", "-f", "-", stdin=custom("Claim", "a", size="1"))
        eventually(lambda: cluster.get("-n", ns, "claims/a").get("status", {}).get("created"), 30)
        cluster.kubectl("-n", ns, "patch", "claims/a", "--type=merge", "-p", '{"spec":{"size":"2"}}')
        eventually(lambda: cluster.get("-n", ns, "cm/a-made")["data"] == {"size": "2"})
        eventually(lambda: "a-made is there" in cluster.kubectl("-n", ns, "get", "events"))
        cluster.kubectl("-n", ns, "delete", "claims/a", "--timeout=20s")
        assert "a-was-here" in cluster.kubectl("-n", ns, "get", "cm")
        eventually(lambda: "NotFound" in cluster.kubectl("-n", ns, "get", "cm/a-made", code=None))
    except AssertionError as error:
        raise AssertionError(f"{error}\n{log.read_text()[-3000:]}") from error
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(20)
