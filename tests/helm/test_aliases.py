"""Aliases that multiply are refused before anybody unfolds them; ordinary ones are nobody's business."""

import pytest

from dovetail.apis.dialects.install_plan import _config_mistake  # pyright: ignore[reportPrivateUsage]
from dovetail.helm import HelmRefused, HelmWorker, Render
from dovetail.helm.aliases import refuse_bombs
from dovetail.helm.errors import UnfoldsTooFar
from dovetail.lifecycle.errors import SyncFailed
from dovetail.lifecycle.manifests import objects_of
from dovetail.lifecycle.syncing import read_index
from tests.helm.charts import chart


def bomb(depth: int = 9, head: str = "kind: ConfigMap\nmetadata: {name: x}\n") -> str:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{at}: &l{at} [{', '.join([f'*l{at - 1}'] * 10)}]" for at in range(1, depth)]
    return head + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text",
    [bomb(), "a: 1\n---\n" + bomb(), "a: &a [*a]\n", f"a: &a {'x' * (1 << 20)}\nb: [{', '.join(['*a'] * 20)}]\n"],
)
def test_what_unfolds_without_measure_is_refused(text: str) -> None:
    with pytest.raises(UnfoldsTooFar, match=r"templates/x\.yaml"):
        refuse_bombs({"templates/x.yaml": text})


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 400 + "]" * 400,
        "[1], " * 3000,
        bomb(4),
        "a: &a {b: 1}\nc: {<<: *a}\n",
        "run: a && b *",
        "not: [yaml: &a *b",
        "",
    ],
)
def test_ordinary_texts_pass(text: str) -> None:
    refuse_bombs({"templates/x.yaml": text})


@pytest.mark.parametrize("deep", ["a: " + "[" * 100_000, "- " * 100_000 + "x", "a: " + '{"b":' * 100_000])
def test_what_is_nested_without_measure_ends_no_process(deep: str) -> None:
    with pytest.raises(UnfoldsTooFar, match="levels deep"):
        refuse_bombs({"crds/x.yaml": deep})
    assert objects_of(f"kind: X\nmetadata: {{name: x}}\n---\n{deep}") != []
    assert "no YAML" in _config_mistake(deep)
    with pytest.raises(SyncFailed, match="levels deep"):
        read_index(deep.encode(), "https://example.test/index.yaml")


@pytest.mark.parametrize("place", ["templates/x.yaml", "crds/x.yaml"])
async def test_the_worker_hands_no_bomb_on(place: str) -> None:
    async with HelmWorker() as helm:
        with pytest.raises(HelmRefused, match="aliases unfold"):
            await helm.call(Render(release="c", chart=chart("c", "1.0.0", {place: bomb()}), namespace="n"))
