"""Readiness and figures: told as Kubernetes and Prometheus tell them."""

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dovetail.gateway.figures import counter, gauge, render
from dovetail.gateway.proxy.metrics import Metrics
from dovetail.gateway.proxy.scraping import scraped
from dovetail.gateway.readiness import Check, answer, workers_problem
from dovetail.gateway.scraping import read_workers, together

GOOD, BAD = Check("ping"), Check("workers", "no worker is connected")


def test_all_well_is_ok_and_verbose_tells_of_each() -> None:
    assert answer([GOOD], verbose=False) == (200, "ok")
    assert answer([GOOD], verbose=True) == (200, "[+]ping ok\nreadyz check passed\n")


def test_one_failure_is_told_and_can_be_left_out() -> None:
    assert answer([GOOD, BAD], verbose=False) == (
        503,
        "[+]ping ok\n[-]workers failed: no worker is connected\nreadyz check failed\n",
    )
    assert answer([GOOD, BAD], verbose=True, excluded=["workers"])[0] == 200


def test_workers_may_lag_a_moment_and_no_longer() -> None:
    assert workers_problem(5, (), None, 0.0)
    assert not workers_problem(5, (5, 5), None, 0.0)
    assert not workers_problem(5, (5, 4), 10.0, 10.5)
    assert "1 of 2 workers" in workers_problem(5, (5, 4), 10.0, 20.0)


def test_figures_have_their_kind_once() -> None:
    text = render([counter("a_total", 1, kind='x"y'), gauge("b", 0.5), counter("a_total", 2, kind="z")])

    assert text == '# TYPE a_total counter\na_total{kind="x\\"y"} 1\na_total{kind="z"} 2\n# TYPE b gauge\nb 0.5\n'


@given(st.lists(st.tuples(st.sampled_from([200, 404]), st.sampled_from(["", "a", "b", "c"])), max_size=60))
def test_routes_that_have_gone_keep_their_counts_under_one_name(answers: list[tuple[int, str]]) -> None:
    metrics = Metrics()
    for code, route in answers:
        metrics.answered(code, route)
    metrics.keep_only({"a"})

    lines = [line for line in metrics.render().splitlines() if line.startswith("dovetail_gateway_requests_total{")]
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == len(answers)
    assert not any('route="b"' in line or 'route="c"' in line for line in lines)


def test_a_churn_of_routes_without_a_scrape_stays_bounded_and_many_routes_in_force_are_no_churn() -> None:
    metrics, in_force = Metrics(), {f"kept-{number}" for number in range(30_000)}
    for route in in_force:
        metrics.answered(200, route)
    assert metrics.large
    metrics.keep_only(in_force)
    assert not metrics.large
    for number in range(40_000):
        metrics.answered(200, f"gone-{number}")
    assert metrics.large
    metrics.keep_only(in_force)
    assert not metrics.large
    assert 'route="(gone)"} 40000' in metrics.render()


async def test_the_workers_figures_come_together(tmp_path: Path) -> None:
    first, second = Metrics(), Metrics()
    first.answered(200, "a", 0.01)
    second.answered(200, "a", 0.01)
    async with scraped(tmp_path / "metrics-0.sock", first.render), scraped(tmp_path / "metrics-1.sock", second.render):
        dead = await asyncio.start_unix_server(lambda reader, writer: writer.close(), tmp_path / "metrics-2.sock")
        async with dead:
            texts = await read_workers(tmp_path)
    text = together(texts)

    assert set(texts) == {"0", "1"}
    assert 'dovetail_gateway_requests_total{worker="0",code="200",route="a"} 1' in text
    assert 'dovetail_gateway_requests_total{worker="1",code="200",route="a"} 1' in text
    assert text.count("# TYPE dovetail_gateway_request_duration_seconds histogram") == 1
    kinds = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds))
