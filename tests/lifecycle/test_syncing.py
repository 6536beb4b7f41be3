"""What a synchronisation does: entry by entry, by digest, and an error is never read as a removal."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dovetail.lifecycle.errors import SyncFailed
from dovetail.lifecycle.syncing import Index, Known, SyncPlan, plan_sync, read_index

URL = "https://charts.test/sub/path/index.yaml"


def index(entries: Any) -> Index:
    return read_index(yaml.safe_dump({"apiVersion": "v1", "entries": entries}).encode(), URL)


def entry(version: str, digest: str = "", url: str = "") -> dict[str, Any]:
    return {"name": "greeter", "version": version, "urls": [url or f"greeter-{version}.tgz"], "digest": digest}


def known(version: str, digest: str = "d", repository: str = "museum") -> Known:
    url = f"https://charts.test/sub/path/greeter-{version}.tgz"
    return Known(f"greeter-{version}", "greeter", repository, digest, url)


def plan(
    read: Index, *there: Known, depth: int = 0, in_use: tuple[str, ...] = (), owners: dict[str, str] | None = None
) -> SyncPlan:
    return plan_sync(read, there, repository="museum", depth=depth, owners=owners or {}, in_use=in_use)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("greeter.tgz", "https://charts.test/sub/path/greeter.tgz"),
        ("charts/greeter.tgz", "https://charts.test/sub/path/charts/greeter.tgz"),
        ("/greeter.tgz", "https://charts.test/greeter.tgz"),
        ("http://other.test/greeter.tgz", "http://other.test/greeter.tgz"),
    ],
)
def test_addresses_are_relative_to_the_index(url: str, expected: str) -> None:
    assert index({"greeter": [entry("1.0.0", url=url)]}).entries["greeter"][0].url == expected


def test_versions_are_ordered_and_depth_applies_before_anything_is_fetched() -> None:
    read = index({"greeter": [entry("0.9.0"), entry("0.10.0"), entry("0.2.0")]})
    assert [found.version for found in read.entries["greeter"]] == ["0.10.0", "0.9.0", "0.2.0"]
    assert [found.version for found in plan(read, depth=2).fetch] == ["0.10.0", "0.9.0"]


def test_equal_digests_are_not_fetched_again() -> None:
    read = index({"greeter": [entry("1.0.0", "sha256:D"), entry("1.1.0", "new")]})
    result = plan(read, known("1.0.0"), known("1.1.0", "old"))
    assert [found.version for found in result.unchanged] == ["1.0.0"]
    assert [found.version for found in result.fetch] == ["1.1.0"]


def test_what_is_not_listed_goes_unless_it_is_in_use_or_not_ours() -> None:
    read = index({"greeter": [entry("3.0.0")]})
    there = [known("1.0.0"), known("2.0.0"), known("0.1.0", repository=""), known("0.2.0", repository="other")]
    assert plan(read, *there, in_use=("greeter-2.0.0",)).remove == ("greeter-1.0.0",)


def test_lowering_depth_prunes() -> None:
    read = index({"greeter": [entry("2.0.0"), entry("1.0.0")]})
    assert plan(read, known("1.0.0"), known("2.0.0"), depth=1).remove == ("greeter-1.0.0",)


def test_an_unusable_entry_is_a_failure_and_no_removal() -> None:
    broken = {"name": "greeter", "version": "1.0.0"}
    read = index({"greeter": [broken, entry("2.0.0")]})
    assert [(failure.version, "urls" in failure.message) for failure in read.failures] == [("1.0.0", True)]
    assert plan(read, known("1.0.0")).remove == ()


@pytest.mark.parametrize("version", ["", "1.0.0+build", "UPPER", "../x", "1.0", 5, None])
def test_versions_that_cannot_be_names(version: object) -> None:
    read = index({"greeter": [{**entry("x"), "version": version}]})
    assert len(read.failures) + len(read.entries) == 1


def test_another_repositorys_extension_is_a_named_conflict() -> None:
    read = index({"greeter": [entry("1.0.0")], "other": [{**entry("1.0.0"), "name": "other"}]})
    result = plan(read, owners={"greeter": "first"})
    assert [found.extension for found in result.fetch] == ["other"]
    assert "Repository first" in result.failures[0].message


def test_a_version_published_by_hand_is_kept() -> None:
    result = plan(index({"greeter": [entry("1.0.0")]}), known("1.0.0", repository=""))
    assert (result.fetch, len(result.failures)) == ((), 1)


@pytest.mark.parametrize("data", [b"", b"[]", b"entries: []", b"a: [", b"\xff\xfe", b"<html></html>"])
def test_what_is_no_index_is_refused(data: bytes) -> None:
    with pytest.raises(SyncFailed, match="index"):
        read_index(data, URL)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["greeter", "Other", "a.b"]), _json, max_size=3))
def test_any_entries_are_read_or_told(entries: dict[str, Any]) -> None:
    read = index(entries)
    plan(read, known("1.0.0"))
