"""The worker as a process: rendering, errors, death, idleness. No cluster."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
import yaml

from dovetail.helm import client, errors
from dovetail.helm.client import HelmWorker
from dovetail.helm.freezing import RenderedChart, archive
from dovetail.helm.wire import Render, ShowChart, Values
from tests.helm.charts import chart, tiny


def gone(*paths: Path) -> bool:
    """Whether all paths cease to exist within 20 s."""
    deadline = time.monotonic() + 20
    while any(path.exists() for path in paths) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(path.exists() for path in paths)


def scratch_of(pid: int) -> Path:
    """The directory that a worker was given."""
    return Path(Path(f"/proc/{pid}/cmdline").read_text().split("\0")[-2])


CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
PACKAGES = sorted(CORPUS.glob("*.tgz"))
REF = {"kubesphere.io/extension-ref": "tiny"}


async def test_renders_with_values_and_labels() -> None:
    async with HelmWorker() as helm:
        operation = Render(
            release="tiny",
            chart=tiny(),
            namespace="extension-tiny",
            values=Values("color: blue\n", {"other": {"x": 1}}),
            object_labels=REF,
        )
        result = await helm.call(operation)
    (text,) = result["manifests"].values()
    rendered = yaml.safe_load(text)
    assert rendered["data"] == {"color": "blue", "version": "1.0.0"}
    assert rendered["metadata"]["labels"] == REF


async def test_disabled_sub_charts_bring_neither_templates_nor_crds() -> None:
    sub = {"Chart.yaml": "apiVersion: v2\nname: agent\nversion: 1.0.0\n", "crds/c.yaml": "kind: X\n"}
    package = chart(
        "top",
        "1.0.0",
        {"crds/top.yaml": "kind: Y\n", **{f"charts/agent/{path}": text for path, text in sub.items()}},
        dependencies="[{name: agent, version: 1.0.0, tags: [agent]}]",
    )
    async with HelmWorker() as helm:
        on, off = [
            await helm.call(
                Render(
                    release="top", chart=package, namespace="n", values=Values(overrides={"tags": {"agent": enabled}})
                )
            )
            for enabled in (True, False)
        ]
    assert [text for _, text in on["crds"]] == ["kind: Y\n", "kind: X\n"]
    assert [text for _, text in off["crds"]] == ["kind: Y\n"]


async def test_values_against_the_charts_schema() -> None:
    schema = '{"properties": {"color": {"type": "string"}}}'
    async with HelmWorker() as helm:
        with pytest.raises(errors.HelmRefused, match="color") as caught:
            await helm.call(
                Render(
                    release="tiny",
                    chart=tiny(**{"values.schema.json": schema}),
                    namespace="n",
                    values=Values("color: 3\n"),
                )
            )
    assert caught.value.reason == errors.INVALID


@pytest.mark.parametrize(
    ("package", "values", "words"),
    [
        (b"not an archive", "", "gzip"),
        (tiny(**{"templates/bad.yaml": "{{ fail `no colour` }}"}), "", "no colour"),
        (tiny(), "a: [", "yaml"),
        (tiny(**{"templates/bad.yaml": "just words"}), "", "bad.yaml"),
    ],
)
async def test_refusals_say_what_is_wrong(package: bytes, values: str, words: str) -> None:
    async with HelmWorker() as helm:
        with pytest.raises(errors.HelmRefused, match=words) as caught:
            await helm.call(
                Render(release="tiny", chart=package, namespace="n", values=Values(values), object_labels=REF)
            )
        assert caught.value.reason == errors.INVALID
        await helm.call(ShowChart(chart=tiny()))  # and the worker lives on


async def test_a_frozen_chart_renders_to_its_own_text() -> None:
    text = "kind: A\nmetadata: {name: a}\ndata: {go: '{{ not }} a {{- template -}}'}\n"
    frozen = archive(
        RenderedChart({"name": "x", "version": "1.0.0", "apiVersion": "v2"}, {}, {"x/charts/y/templates/a.yaml": text})
    )
    async with HelmWorker() as helm:
        result = await helm.call(Render(release="x", chart=frozen, namespace="n"))
    assert list(result["manifests"].values()) == [text]


async def test_a_killed_worker_fails_its_calls_and_the_next_call_starts_another() -> None:
    async with HelmWorker() as helm:
        await helm.warm()
        first = helm.pid
        assert first
        os.kill(first, signal.SIGSTOP)
        pending = asyncio.create_task(helm.call(ShowChart(chart=tiny())))
        await asyncio.sleep(0.05)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(errors.HelmWorkerDied):
            await pending
        assert (await helm.call(ShowChart(chart=tiny())))["metadata"]["name"] == "tiny"
        assert helm.pid != first


async def test_a_dead_workers_calls_fail_even_if_its_successor_is_up_first(monkeypatch: pytest.MonkeyPatch) -> None:
    end_of, late = client._end_of, asyncio.Event()  # pyright: ignore[reportPrivateUsage]

    async def end_late(process: asyncio.subprocess.Process) -> int:
        await late.wait()
        return await end_of(process)

    async with HelmWorker() as helm:
        await helm.warm()
        first = helm.pid
        assert first
        os.kill(first, signal.SIGSTOP)
        lost = asyncio.create_task(helm.call(ShowChart(chart=tiny())))
        await asyncio.sleep(0.05)  # it is asked
        monkeypatch.setattr(client, "_end_of", end_late)
        os.kill(first, signal.SIGKILL)
        while helm.pid == first:  # noqa: ASYNC110, nobody tells when a process is noticed to be gone
            await asyncio.sleep(0.01)
        answer = await helm.call(ShowChart(chart=tiny()))
        assert answer["metadata"]["name"] == "tiny"
        late.set()
        with pytest.raises(errors.HelmWorkerDied):
            await lost


async def test_integers_of_any_size_pass() -> None:
    package = chart("c", "1.0.0", {"values.yaml": f"big: {10**20}\n", "templates/x.yaml": "a: {{ .Values.big }}\n"})
    async with HelmWorker() as helm:
        values = Values(overrides={"other": [10**21]})
        answer = await helm.call(Render(release="c", chart=package, namespace="n", values=values))
    assert answer["values"] == {"big": 1e20}
    assert answer["manifests"] == {"c/templates/x.yaml": "a: 1e+20\n"}


async def test_an_unresponsive_worker_is_given_up_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dovetail.helm.client._GRACE", 0.2)
    async with HelmWorker() as helm:
        await helm.warm()
        assert helm.pid
        os.kill(helm.pid, signal.SIGSTOP)
        with pytest.raises(errors.HelmTimeout, match="cancelled"):
            await helm.call(ShowChart(chart=tiny()), timeout=0.2)
        assert (await helm.call(ShowChart(chart=tiny())))["metadata"]["name"] == "tiny"


async def test_an_idle_worker_ends_and_leaves_nothing() -> None:
    async with HelmWorker(idle_seconds=0.1) as helm:
        await helm.call(ShowChart(chart=tiny()))
        pid = helm.pid
        assert pid
        scratch = scratch_of(pid)
        assert scratch.is_dir()
        assert await asyncio.to_thread(gone, scratch, Path(f"/proc/{pid}"))
        assert (await helm.call(ShowChart(chart=tiny())))["metadata"]["name"] == "tiny"


async def test_garbage_on_the_pipe_ends_the_worker() -> None:
    async with HelmWorker() as helm:
        await helm.warm()
        process = helm._process  # pyright: ignore[reportPrivateUsage]
        assert process
        assert process.stdin
        process.stdin.write(b"\xff\xff\xff\xff nonsense")
        assert await asyncio.wait_for(process.wait(), 20) == 2


@pytest.mark.skipif(not PACKAGES, reason="no published packages on this machine")
@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.stem)
async def test_published_packages_render_and_every_object_is_labelled(path: Path) -> None:
    values = Values(overrides={"tags": {"extension": True, "agent": True}})
    name = path.stem.rsplit("-", 1)[0]
    package = await asyncio.to_thread(path.read_bytes)
    async with HelmWorker() as helm:
        operation = Render(release=name, chart=package, namespace="n", values=values, object_labels=REF)
        result = await helm.call(operation)
    objects = [
        document
        for source, text in result["manifests"].items()
        if not source.endswith("NOTES.txt")
        for document in yaml.load_all(text, Loader=yaml.CBaseLoader)
        if document
    ]
    assert objects
    assert all(thing["metadata"]["labels"].items() >= REF.items() for thing in objects)
