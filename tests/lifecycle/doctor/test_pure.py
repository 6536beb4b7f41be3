"""The pure parts in bulk: words of every cause, ranking of any findings, refusals of any text, odd objects."""

import importlib
import pkgutil
import shlex
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dovetail.lifecycle.doctor import causes, commands, refusals, report
from dovetail.lifecycle.doctor.diagnosing import diagnose, findings, hoisted
from dovetail.lifecycle.doctor.findings import Cause, Evidence, Finding, Ref, Severity, Words, evidence
from dovetail.lifecycle.doctor.picture import Picture, Unread
from dovetail.lifecycle.doctor.ranking import Diagnosis, Root, ranked


def all_causes() -> Iterator[Cause]:
    for module in pkgutil.iter_modules(causes.__path__):
        for value in vars(importlib.import_module(f"{causes.__name__}.{module.name}")).values():
            if isinstance(value, Cause):
                yield value


CAUSES = sorted({cause.code: cause for cause in all_causes()}.values(), key=lambda cause: cause.code)


def fields(words: Words) -> set[str]:
    return {name for text in words for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.code)
def test_both_languages_say_the_same_details(cause: Cause) -> None:
    assert fields(cause.en) == fields(cause.zh)
    assert all(text and text == text.strip() for words in (cause.en, cause.zh) for text in words)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in cause.zh.what + cause.zh.way)


def test_the_page_names_every_cause() -> None:
    page = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text()
    assert [cause.code for cause in CAUSES if f"`{cause.code}`" not in page] == []


def test_there_are_enough_causes_to_be_of_use() -> None:
    assert len(CAUSES) >= 80


def objects() -> st.SearchStrategy[dict[str, Any]]:
    """Pods, workloads, Services and routes that refer to each other."""
    names = st.sampled_from(("a", "b", "c"))

    def pod(name: str, node: str, claim: str, owner: str) -> dict[str, Any]:
        volumes = [{"persistentVolumeClaim": {"claimName": claim}}]
        owners = [{"kind": "ReplicaSet", "name": owner, "uid": owner}]
        meta = {"name": name, "namespace": "n", "uid": name, "labels": {"app": owner}, "ownerReferences": owners}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node, "volumes": volumes}}

    return st.builds(pod, names, names, names, names)


REFS = st.builds(
    Ref, st.sampled_from(("Pod", "ReplicaSet", "Node", "PersistentVolumeClaim", "InstallPlan")),
    st.sampled_from(("a", "b", "c")), st.sampled_from(("", "n")),
)  # fmt: skip
FOUND = st.builds(
    Finding, st.sampled_from(CAUSES), REFS, st.just((Evidence("here", "there"),)),
    breaks=st.lists(REFS, max_size=3).map(tuple),
)  # fmt: skip


@given(st.lists(FOUND, max_size=8), st.lists(objects(), max_size=5))
@settings(max_examples=80)
def test_whatever_is_found_has_a_root_and_nothing_is_lost(found: list[Finding], pods: list[dict[str, Any]]) -> None:
    picture = Picture("a", "n", {"pods": pods})
    roots = ranked(picture, found)
    assert bool(roots) == bool(found)
    told = {(one.cause.code, one.subject) for root in roots for one in (root.finding, *root.symptoms)}
    assert told == {(one.cause.code, one.subject) for one in found}
    severities = [root.finding.cause.severity for root in roots]
    assert severities == sorted(severities)


@given(st.text(max_size=300))
@settings(max_examples=80)
def test_no_text_is_too_odd_for_the_refusals(text: str) -> None:
    ref = Ref("InstallPlan", "a")
    refusals.refused(Picture("a", "n"), ref, text, evidence(ref, text))
    assert evidence(ref, text).said.isprintable()


@given(st.dictionaries(st.sampled_from(("spec", "status", "metadata")), st.sampled_from((None, {}))))
@settings(max_examples=30)
def test_half_written_objects_are_read(obj: dict[str, Any]) -> None:
    """What a client may write where no schema forbids it: absent and null parts."""
    kinds = ("pods", "jobs", "deployments", "replicasets", "namespaces", "persistentvolumeclaims", "nodes", "events")
    kinds += ("installplans.kubesphere.io", "repositories.kubesphere.io", "jsbundles.extensions.kubesphere.io")
    whole = {"apiVersion": "v1", "kind": "Thing", **obj, "metadata": {"name": "a", **(obj.get("metadata") or {})}}
    picture = Picture("a", "n", {kind: [whole] for kind in kinds}, now="2026-01-01T00:00:00Z")
    report.as_text([diagnose(picture)], "zh")
    list(findings(picture))


def test_a_cause_that_many_share_is_told_once_and_as_the_platforms() -> None:
    node = Finding(CAUSES[0], Ref("Node", "one"))
    own = Finding(CAUSES[1], Ref("InstallPlan", "x"))
    each = [
        Diagnosis(name, "", (Root(node, (Finding(CAUSES[2], Ref("Pod", name)),)),)) for name in ("x", "y")
    ]  # fmt: skip
    shared, found = hoisted((), [Diagnosis("x", "", (*each[0].roots, Root(own))), each[1]])
    assert [root.finding.subject.name for root in shared] == ["one"]
    assert [one.subject.name for one in shared[0].symptoms] == ["x", "y"]
    assert [[root.finding.subject for root in one.roots] for one in found] == [[own.subject], []]


def test_exit_codes() -> None:
    problem = Root(Finding(CAUSES[0], Ref("Pod", "a")))
    note = Root(Finding(next(cause for cause in CAUSES if cause.severity is Severity.NOTE), Ref("Cluster", "a")))
    unread = (Unread("nodes", "403"),)
    cases = (((), (), 0), ((problem,), unread, 1), ((), unread, 2), ((note,), (), 0))
    for roots, blind, code in cases:
        assert report.exit_code([Diagnosis("a", "", roots, blind)]) == code


def test_nothing_that_a_terminal_would_obey_is_printed() -> None:
    nasty = "\x1b[2Jcleared\r\nand a new line\u202e"
    finding = Finding(CAUSES[0], Ref("Pod", "a"), (evidence("here", nasty),), {"why": nasty})
    text = report.as_text([Diagnosis("a", "", (Root(finding),))], "en")
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]


@given(st.text(min_size=1, max_size=12), st.text(max_size=12), st.text(max_size=12))
@settings(max_examples=60)
def test_commands_can_be_pasted_whatever_things_are_called(name: str, namespace: str, kind: str) -> None:
    ref = Ref(kind, name, namespace)
    for command in (commands.show(ref), commands.edit(ref), commands.logs(ref, name)):
        words = shlex.split(command)
        assert words[0] == "kubectl"
        assert name in words
    assert name in shlex.split(commands.patch_plan(name, "{}"))


def test_what_an_object_of_a_chart_is_called_is_quoted() -> None:
    ref = Ref("InstallPlan", "a")
    text = 'ConfigMap "x; reboot" in namespace "y" exists and cannot be imported into the current release'
    found = refusals.refused(Picture("a", "n"), ref, text, evidence(ref, text))
    assert found is not None
    assert found.commands == ("kubectl -n y get configmap 'x; reboot' --show-labels",)
