"""What a synchronisation does: entry by entry, by digest, and an error is never read as a removal."""

import contextlib
from collections.abc import Collection
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dovetail.lifecycle.errors import SyncFailed
from dovetail.lifecycle.syncing import Conflict, Index, Known, SyncPlan, plan_sync, read_index

URL = "https://charts.test/sub/path/index.yaml"


def index(entries: Any) -> Index:
    return read_index(yaml.safe_dump({"apiVersion": "v1", "entries": entries}).encode(), URL)


def entry(version: str, digest: str = "", url: str = "") -> dict[str, Any]:
    return {"name": "greeter", "version": version, "urls": [url or f"greeter-{version}.tgz"], "digest": digest}


def known(version: str, digest: str = "d", repository: str = "museum") -> Known:
    url = f"https://charts.test/sub/path/greeter-{version}.tgz"
    return Known(f"greeter-{version}", "greeter", repository, digest, url)


def plan(
    read: Index,
    *there: Known,
    depth: int = 0,
    in_use: tuple[str, ...] = (),
    owners: dict[str, str] | None = None,
    missed: Collection[str] = (),
) -> SyncPlan:
    return plan_sync(read, there, repository="museum", depth=depth, owners=owners or {}, in_use=in_use, missed=missed)


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


def test_what_is_not_listed_twice_goes_unless_it_is_in_use_or_not_ours() -> None:
    read = index({"greeter": [entry("3.0.0")]})
    there = [known("1.0.0"), known("2.0.0"), known("0.1.0", repository=""), known("0.2.0", repository="other")]
    first = plan(read, *there, in_use=("greeter-2.0.0",))
    assert (first.remove, first.missing) == ((), {"greeter-1.0.0"})
    assert plan(read, *there, in_use=("greeter-2.0.0",), missed=first.missing).remove == ("greeter-1.0.0",)


def test_an_index_that_lists_nothing_any_more_is_a_fault() -> None:
    assert plan(index({})) == SyncPlan()
    with pytest.raises(SyncFailed, match="nothing is removed") as failed:
        plan(index({}), known("1.0.0"), missed=["greeter-1.0.0"])
    assert failed.value.reason == "EmptyIndex"


def test_without_digests_the_address_and_the_time_must_be_the_same() -> None:
    read = index({"greeter": [{**entry("1.0.0"), "created": "2026-01-01T00:00:00Z"}]})
    there = Known(**{**vars(known("1.0.0")), "created": "2026-01-01T00:00:00Z"})
    assert plan(read, there).unchanged
    assert plan(read, known("1.0.0")).fetch


def test_a_small_index_that_lists_millions_is_refused_before_they_are_read() -> None:
    one = "{name: a, version: 1.0.0, urls: [a.tgz]}"
    many = ", ".join(["*x"] * 2000)
    names = "\n".join(f"  n{number}: *l" for number in range(200))
    with pytest.raises(SyncFailed, match="lists more than"):
        read_index(f"x: &x {one}\nl: &l [{many}]\nentries:\n{names}\n".encode(), URL)


def test_an_index_as_json_is_the_same_index() -> None:
    entries = {"greeter": [entry("1.0.0", "d")]}
    assert read_index(orjson.dumps({"entries": entries}), URL) == index(entries)


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
    assert result.conflicts == (Conflict("greeter", "first"),)


def test_a_repository_that_was_given_the_extension_takes_its_versions_over() -> None:
    result = plan(index({"greeter": [entry("1.0.0", "d")]}), known("1.0.0", repository="first"))
    assert [found.version for found in result.fetch] == ["1.0.0"]
    lost = plan(index({"greeter": [entry("1.0.0", "d")]}), known("1.0.0"), owners={"greeter": "other"})
    assert lost.remove == ("greeter-1.0.0",)


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
    with contextlib.suppress(SyncFailed):  # an index that lists nothing any more
        plan(read, known("1.0.0"))


_versions = st.sampled_from(["0.1.0", "1.0.0", "1.1.0-rc.1", "2.0.0"])
_digests = st.sampled_from(["", "d", "e"])
_index = st.dictionaries(_versions, _digests, max_size=4)


@given(st.lists(_index, min_size=1, max_size=8), st.integers(0, 3), st.frozensets(_versions, max_size=2))
def test_whatever_indexes_come_the_cluster_follows_and_nothing_in_use_goes(
    indexes: list[dict[str, str]], depth: int, used: frozenset[str]
) -> None:
    """A run of readings: what one reading lacks is not gone yet, what two say is in force, and then it rests."""
    there: dict[str, Known] = {}
    missed: frozenset[str] = frozenset()
    in_use = tuple(f"greeter-{version}" for version in used)
    for listed in [*indexes, indexes[-1], indexes[-1]]:
        read = index({"greeter": [entry(version, digest) for version, digest in listed.items()]})
        before = set(there)
        try:
            done = plan(read, *there.values(), depth=depth, in_use=in_use, missed=missed)
        except SyncFailed:
            assert not listed
            continue
        assert set(done.remove) <= before - set(in_use)
        gone = {name for name in done.remove if name.removeprefix("greeter-") not in listed}
        assert gone <= missed, "only what was missed before"
        assert len({one.object_name for one in (*done.fetch, *done.unchanged)}) == len(done.fetch) + len(done.unchanged)
        for one in done.fetch:
            there[one.object_name] = known(one.version, one.digest)
        for name in done.remove:
            del there[name]
        missed = done.missing
    if indexes[-1]:
        read = index({"greeter": [entry(version, digest) for version, digest in indexes[-1].items()]})
        done = plan(read, *there.values(), depth=depth, in_use=in_use, missed=missed)
        assert (done.fetch, done.remove) == ((), ()), "it has come to rest"
