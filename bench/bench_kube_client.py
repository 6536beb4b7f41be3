"""Our Kubernetes client beside the official one: a list of 3,000 Pods and a watch of 20,000 events, in one run.

A server in a process of its own sends canned bytes as fast as they are read. Each client runs in a fresh process, so
that memory and imports are its own; rounds alternate between the clients and the median counts. The last line is one
JSON object.

    python bench/bench_kube_client.py [--pods 3000] [--events 20000] [--rounds 3]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from typing import Any

READY_TIMEOUT = 20
ROUND_TIMEOUT = 120


def pod(number: int) -> dict[str, Any]:
    """About 3 KB, as a Deployment's Pod looks."""
    name = f"web-6d4cf56db6-{number:05d}"
    env = [{"name": f"SETTING_{at}", "value": f"value-{at}-{'x' * 20}"} for at in range(12)]
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1}
    container = {
        "name": "web", "image": "registry.example/web:1.2.3", "imagePullPolicy": "IfNotPresent", "env": env,
        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}], "livenessProbe": probe,
        "readinessProbe": probe, "resources": {"limits": {"cpu": "1", "memory": "256Mi"}},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "volumeMounts": [{"mountPath": "/var/run/secrets/x", "name": "token", "readOnly": True}],
    }  # fmt: skip
    moment = "2026-07-05T10:00:00Z"
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": moment, "lastProbeTime": None}
        for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name, "generateName": "web-6d4cf56db6-", "namespace": "default",
            "uid": f"00000000-0000-{number:016d}", "resourceVersion": str(number + 1), "creationTimestamp": moment,
            "labels": {"app": "web", "pod-template-hash": "6d4cf56db6"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4cf56db6", "uid": "u", "controller": True,
                "blockOwnerDeletion": True,
            }],
        },
        "spec": {
            "containers": [container], "nodeName": f"node-{number % 10}", "restartPolicy": "Always",
            "serviceAccountName": "default", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
            "volumes": [{"name": "token", "emptyDir": {}}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
        },
        "status": {
            "phase": "Running", "podIP": "10.0.0.1", "hostIP": "192.168.0.1", "startTime": moment,
            "qosClass": "Burstable", "conditions": conditions,
            "containerStatuses": [{
                "name": "web", "image": "registry.example/web:1.2.3", "imageID": "sha256:" + "0" * 64, "ready": True,
                "restartCount": 0, "started": True, "state": {"running": {"startedAt": moment}}, "lastState": {},
                "containerID": "containerd://" + "0" * 64,
            }],
        },
    }  # fmt: skip


def serve(port_pipe: Any, pods: int, events: int) -> None:
    """Answer lists whole and watches with all events, then end them."""
    objects = [pod(number) for number in range(pods)]
    listed = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": objects}
    body = json.dumps(listed, separators=(",", ":")).encode()
    list_answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )
    lines = [
        json.dumps({"type": "MODIFIED", "object": one}, separators=(",", ":")).encode() + b"\n"
        for one in objects[:1000]
    ]
    chunks = [b"%x\r\n%s\r\n" % (len(line), line) for line in lines]
    print(f"pod {len(body) // pods} bytes, list {len(body) / 2**20:.1f} MiB", flush=True)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"watch=" not in head.split(b"\r\n", 1)[0]:
                    writer.write(list_answer)
                    await writer.drain()
                    continue
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                for at in range(0, events, 20):
                    writer.write(b"".join(chunks[(at + i) % len(chunks)] for i in range(min(20, events - at))))
                    await writer.drain()
                writer.write(b"0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port_pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def report(list_s: float, watch_s: float, cpu_s: float, events: int, import_s: float) -> None:
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    values = {
        "list_ms": list_s * 1000, "events_per_s": events / watch_s, "cpu_us": cpu_s / events * 1e6, "rss_mib": rss,
        "import_ms": import_s * 1000,
    }  # fmt: skip
    print(json.dumps(values))


def run_dovetail(port: int, informer: bool = False) -> None:
    started = time.perf_counter()
    import aiohttp  # noqa: F401 -- counted, though the client imports it at its first request

    from dovetail.kube import PODS, Client, ClusterConfig
    from dovetail.kube.lister import Store

    imported = time.perf_counter() - started

    async def main() -> None:
        async with Client(ClusterConfig(f"http://127.0.0.1:{port}")) as client:
            t0 = time.perf_counter()
            listed = await client.list(PODS)
            t1, c1, count = time.perf_counter(), time.process_time(), 0
            store = Store()
            store.replace(listed.items)
            async for event in client.watch(PODS, resource_version=listed.resource_version):
                count += 1
                if informer:
                    event.object["metadata"]["resourceVersion"] = str(count)
                    store.put(event.object)
            report(t1 - t0, time.perf_counter() - t1, time.process_time() - c1, count, imported)

    import uvloop

    uvloop.run(main())


def run_official(port: int, dynamic: bool) -> None:
    started = time.perf_counter()
    from kubernetes import client, watch

    imported = time.perf_counter() - started
    configuration = client.Configuration(host=f"http://127.0.0.1:{port}")
    api_client = client.ApiClient(configuration)
    if dynamic:  # what the official client does without its models
        core = client.CoreV1Api(api_client)
        t0 = time.perf_counter()
        answer = core.list_pod_for_all_namespaces(_preload_content=False)
        pods = json.loads(answer.data)["items"]
        t1, c1, count = time.perf_counter(), time.process_time(), 0
        stream = core.list_pod_for_all_namespaces(_preload_content=False, watch=True)
        for count, line in enumerate(watch.watch.iter_resp_lines(stream), 1):  # noqa: B007
            json.loads(line)
    else:
        core = client.CoreV1Api(api_client)
        t0 = time.perf_counter()
        pods = core.list_pod_for_all_namespaces().items
        t1, c1, count = time.perf_counter(), time.process_time(), 0
        for _ in watch.Watch().stream(core.list_pod_for_all_namespaces, resource_version="1", timeout_seconds=100):
            count += 1
            if count == int(os.environ["BENCH_EVENTS"]):
                break
    assert pods
    report(t1 - t0, time.perf_counter() - t1, time.process_time() - c1, count, imported)


CLIENTS = {
    "dovetail": run_dovetail,
    "dovetail, cached": lambda port: run_dovetail(port, informer=True),
    "kubernetes": lambda port: run_official(port, dynamic=False),
    "kubernetes, raw": lambda port: run_official(port, dynamic=True),
}


def measure(name: str, port: int, events: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--client", name, "--port", str(port)]
    environment = {**os.environ, "BENCH_EVENTS": str(events)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=ROUND_TIMEOUT, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=3000)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        CLIENTS[options.client](options.port)
        return
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs, options.pods, options.events), daemon=True)
    server.start()
    if not ours.poll(READY_TIMEOUT):
        sys.exit("the bench's own server did not start")
    port = ours.recv()
    socket.create_connection(("127.0.0.1", port), 5).close()
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
    for _ in range(options.rounds):
        for name in CLIENTS:
            rounds[name].append(measure(name, port, options.events))
    server.terminate()
    show({name: {key: statistics.median(r[key] for r in runs) for key in runs[0]} for name, runs in rounds.items()})


def show(results: dict[str, dict[str, float]]) -> None:
    print(f"{'client':18} {'list':>9} {'events/s':>10} {'CPU/event':>10} {'RSS':>9} {'import':>8}")
    for name, r in results.items():
        print(
            f"{name:18} {r['list_ms']:6.0f} ms {r['events_per_s']:10,.0f} {r['cpu_us']:7.1f} us"
            f" {r['rss_mib']:5.0f} MiB {r['import_ms']:5.0f} ms"
        )
    ours, peer = results["dovetail"], results["kubernetes"]
    ratios = {
        "list_times_faster": peer["list_ms"] / ours["list_ms"],
        "watch_times_faster": ours["events_per_s"] / peer["events_per_s"],
        "rss_ratio": ours["rss_mib"] / peer["rss_mib"],
    }
    print(", ".join(f"{name} {value:.2f}" for name, value in ratios.items()))
    print(json.dumps({**{k: round(v, 2) for k, v in ours.items()}, **{k: round(v, 2) for k, v in ratios.items()}}))


if __name__ == "__main__":
    main()
