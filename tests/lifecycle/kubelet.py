"""A node for the tests: Jobs get pods, pods run as a script says, and their logs can be read and followed.

The embedded cluster has no node yet. So a proxy stands in front of its API that answers `pods/log` like a kubelet,
everything else goes through to the real API, Helm's requests and watches included. Jobs and pods get the statuses that
a job controller and a kubelet would write.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from dovetail.kube import JOBS, PODS, Client, ClusterConfig, NotFound, Unreachable
from tests.conftest import KubeApi
from tests.finished_jobs import finished_status

_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "content-encoding"})
END = b""


@dataclass
class Script:
    """What a pod does: it writes `lines` and ends well or not; with `hang` it never ends."""

    lines: list[str] = field(default_factory=list[str])
    succeed: bool = True
    hang: bool = False


@dataclass
class Kubelet:
    """`kubeconfig` leads to the API through this node."""

    client: Client
    kubeconfig: Path
    scripts: dict[str, Script] = field(default_factory=dict[str, Script])
    """By the name of the Job or the Pod."""
    logs: dict[str, asyncio.Queue[bytes]] = field(default_factory=dict[str, "asyncio.Queue[bytes]"])
    run: list[str] = field(default_factory=list[str])
    """The pods that were run."""

    async def work(self, namespace: str) -> None:
        """Run every Job and every Pod of a namespace that there is a script for."""
        while True:
            for job in (await self.client.list(JOBS, namespace)).items:
                await self._job(job)
            for pod in (await self.client.list(PODS, namespace)).items:
                script = self.scripts.get(pod["metadata"]["name"])
                if script is not None and not pod.get("status", {}).get("containerStatuses"):
                    await self._pod(pod, script)
            await asyncio.sleep(0.05)

    async def _job(self, job: dict[str, Any]) -> None:
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        script = self.scripts.get(name)
        if script is None or job.get("status") or f"{name}-{uid[:5]}" in self.run:
            return
        pod = {
            "metadata": {"name": f"{name}-{uid[:5]}", "labels": {"job-name": name}},
            "spec": {**job["spec"]["template"]["spec"], "nodeName": "tests"},
        }
        made = await self.client.create(PODS, pod, job["metadata"]["namespace"])
        await self._pod(made, script)
        if not script.hang:
            await self._status(JOBS, job, finished_status(job) if script.succeed else failed_status(job))

    async def _pod(self, pod: dict[str, Any], script: Script) -> None:
        name = pod["metadata"]["name"]
        self.run.append(name)
        container = pod["spec"]["containers"][0]["name"]
        log = self.logs[name] = asyncio.Queue()
        await self._status(PODS, pod, _running(container))
        for line in script.lines:
            log.put_nowait(line.encode() + b"\n")
            await asyncio.sleep(0.02)
        if not script.hang:
            log.put_nowait(END)
            await self._status(PODS, pod, {"phase": "Succeeded" if script.succeed else "Failed"})

    async def _status(self, resource: Any, obj: dict[str, Any], status: dict[str, Any]) -> None:
        with contextlib.suppress(NotFound):
            metadata = obj["metadata"]
            await self.client.patch(
                resource, metadata["name"], {"status": status}, metadata["namespace"], subresource="status"
            )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if parts[-1] == "log" and "pods" in parts:
            return await self._log(request, parts[-2])
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        body = await request.read() if request.can_read_body else None
        query = list(request.query.items())
        upstream = self.client.stream(
            request.method, request.rel_url.raw_path, query=query, headers=headers, body=body, idle=600
        )
        async with upstream as stream:
            kept = {name: value for name, value in stream.headers.items() if name.lower() not in _HOP}
            response = web.StreamResponse(status=stream.status, headers=kept)
            await response.prepare(request)
            with contextlib.suppress(Unreachable, ConnectionError):  # whoever asked has gone
                async for chunk in stream.chunks():
                    await response.write(chunk)
        return response

    async def _log(self, request: web.Request, pod: str) -> web.StreamResponse:
        if pod not in self.logs:
            return web.Response(status=404, text="no such container")
        response = web.StreamResponse()
        await response.prepare(request)
        while (chunk := await self.logs[pod].get()) != END:
            await response.write(chunk)
        return response


def _running(container: str) -> dict[str, Any]:
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    status = {"name": container, "image": "images.test/x", "imageID": "", "ready": True, "restartCount": 0}
    return {"phase": "Running", "containerStatuses": [{**status, "state": state}]}


def failed_status(job: dict[str, Any]) -> dict[str, Any]:
    at = job["metadata"]["creationTimestamp"]
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": "BackoffLimitExceeded",
            "message": "gave up",
            "lastTransitionTime": at,
        }
        for kind in ("FailureTarget", "Failed")
    ]
    return {"startTime": at, "failed": 1, "conditions": conditions}


@contextlib.asynccontextmanager
async def node(api: KubeApi, directory: Path, *namespaces: str, **scripts: Script) -> AsyncIterator[Kubelet]:
    """A node that works in these namespaces; a script's name has _ for -."""
    async with Client(ClusterConfig.load(api.kubeconfig)) as client:
        kubeconfig = directory / "kubeconfig"
        kubelet = Kubelet(client, kubeconfig, {name.replace("_", "-"): script for name, script in scripts.items()})
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", kubelet.answer)
        runner = web.AppRunner(application, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        kubeconfig.write_text(_KUBECONFIG.format(port=runner.addresses[0][1]))
        tasks = [asyncio.create_task(kubelet.work(namespace)) for namespace in namespaces]
        try:
            yield kubelet
            for task in tasks:
                assert not task.done(), task.exception()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await runner.cleanup()


_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: node, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: anybody, user: {{}}}}]
contexts: [{{name: node, context: {{cluster: node, user: anybody}}}}]
current-context: node
"""
