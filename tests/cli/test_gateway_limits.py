"""Limits of the gateway as an operator changes them, down to the workers' command line."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from dovetail.cli.datadir import DataDirectory
from dovetail.cli.gateway_limits import arguments, limits
from dovetail.cli.layout import Address, Layout
from dovetail.cli.parts import gateway_worker
from dovetail.gateway.proxy import Limits


def test_what_is_said_is_changed_and_nothing_else() -> None:
    changed = limits(("head_timeout=2.5", "headers=7"))
    assert (changed.head_timeout, changed.headers) == (2.5, 7)
    assert limits(()) == Limits()
    assert limits(("head_timeout=15", "headers=128")) == Limits()


@pytest.mark.parametrize(
    ("limit", "says"),
    [("heads=1", "no limit 'heads'"), ("headers", "is a number"), ("headers=many", "is a number"),
     ("headers=1.5", "is a number"), ("head_timeout=-1", "more than nothing"),
     ("head_timeout=inf", "more than nothing"), ("head_timeout=nan", "more than nothing")],
)  # fmt: skip
def test_what_is_no_limit_is_refused(limit: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        limits((limit,))
    result = CliRunner().invoke(gateway_worker, ["--snapshot-socket", "/nowhere", "--gateway-limit", limit])
    assert result.exit_code == 2
    assert "gateway-limit" in result.output


def test_the_page_that_operators_read_tells_every_limit() -> None:
    page = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    told: dict[str, float] = {}
    for names, values in re.findall(r"^\| (`[a-z_`, ]+`) \| ([\d., ]+) \|", page, re.MULTILINE):
        told.update(zip(re.findall(r"`(\w+)`", names), map(float, values.split(",")), strict=True))
    assert told == {each.name: float(getattr(Limits(), each.name)) for each in fields(Limits)}


def test_the_workers_are_told(tmp_path: Path) -> None:
    layout = Layout(DataDirectory(tmp_path), Address("127.0.0.1", 1), 0, 2, gateway_limits=("headers=7", "drain=1"))
    for worker in layout.gateway_workers():
        assert " ".join(arguments(layout.gateway_limits)) in " ".join(worker.arguments)
