"""The pure core of the bundle store: planning, reading, serving, ownership, status."""

import base64
import gzip
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.errors import InvalidObject
from dovetail.console.bundles.model import JAVASCRIPT, MAX_FILE, BundleId, File, Missing, ObjectRef, Outcome, make_file
from dovetail.console.bundles.planning import extension_of, media_type_of, owner_of, plan_of, references
from dovetail.console.bundles.resolving import read_key, serve_part, taken
from dovetail.console.bundles.status import wanted_status
from dovetail.console.bundles.store import BundleStore
from tests.console.harness import js_bundle

NOW = datetime(2026, 11, 20, tzinfo=UTC)
CODE = b"System.register([], function () { return {} })"
REF = ObjectRef("ConfigMap", "ns", "cm", "index.js")
SECRET = ObjectRef("Secret", "ns", "s", "index.js")


def bundle(name: str = "a", **more: Any) -> dict[str, Any]:
    return js_bundle(name, CODE.decode()) | more


def outcome_of(obj: dict[str, Any], content: bytes | Missing = CODE) -> Outcome:
    plan = plan_of(obj)
    return Outcome(plan, {plan.main.link: serve_part(plan.main, content)})


class TestPlanning:
    def test_a_bundle_in_place_claims_the_path_of_its_extension(self):
        plan = plan_of(bundle())
        assert plan.links == ("/dist/a/index.js",)
        assert plan.main.source == CODE
        assert plan.id == BundleId("extensions.kubesphere.io", "a")
        assert references(plan) == ()

    def test_a_published_package_is_understood(self):
        """The JSBundle of the public hello-world sample, as its chart renders it."""
        obj = {
            "apiVersion": "extensions.kubesphere.io/v1alpha1",
            "kind": "JSBundle",
            "metadata": {"name": "hello-world"},
            "spec": {"rawFrom": {"configMapKeyRef": {"key": "index.js", "name": "cm", "namespace": "ns"}}},
            "status": {"link": "/dist/hello-world/index.js", "state": "Available"},
        }
        plan = plan_of(obj)
        assert references(plan) == (REF,)
        assert extension_of(plan.bundle) == "hello-world"

    def test_the_seeds_shape_is_understood(self):
        obj = {
            "apiVersion": "kubesphere.io/v1alpha1",
            "kind": "JSBundle",
            "metadata": {"name": "v1", "annotations": {"meta.helm.sh/release-name": "devops-0.10.0"}},
            "spec": {"rawFrom": {"url": "https://ks-devops.ns.svc/dist/x.js"}},
        }
        plan = plan_of(obj)
        assert plan.main.link == "/dist/devops/index.js"
        assert plan.id.group == "kubesphere.io"

    def test_assets_have_paths_and_types_of_their_own(self):
        assets = {
            "style": {"link": "/dist/a/style.css", "url": "http://x/style.css"},
            "files": [{"name": "p", "link": "/dist/a/p.png", "url": "http://x/p.png"}],
        }
        plan = plan_of(bundle(spec={"raw": "x", "assets": assets}))
        assert plan.style_link == "/dist/a/style.css"
        types = {part.link: part.media_type for part in plan.assets}
        assert types == {"/dist/a/style.css": "text/css; charset=utf-8", "/dist/a/p.png": "image/png"}

    @pytest.mark.parametrize("spec", [{}, {"rawFrom": {}}, {"rawFrom": {"configMapKeyRef": {"name": "x"}}}])
    def test_what_cannot_be_read_is_an_error_that_says_so(self, spec: dict[str, Any]):
        with pytest.raises(InvalidObject, match="JSBundle a cannot be used"):
            plan_of(bundle(spec=spec))

    @pytest.mark.parametrize(
        ("link", "expected"),
        [("/dist/a/x.js", JAVASCRIPT), ("/dist/a/x.css", "text/css; charset=utf-8"), ("/dist/a/x.svg", "image/svg+xml"),
         ("/dist/a/x", "application/octet-stream"), ("/dist/a/x.unheard-of", "application/octet-stream")],
    )  # fmt: skip
    def test_media_types(self, link: str, expected: str):
        assert media_type_of(link) == expected


class TestOwnership:
    def claim(self, name: str, created: str, state: str = "") -> Any:
        obj = js_bundle(name, "x", labels={"kubesphere.io/extension-ref": "same"}, state=state)
        obj["metadata"]["creationTimestamp"] = created
        return plan_of(obj)

    def test_the_oldest_wins_whatever_the_order(self):
        old, new = self.claim("z", "2025-01-01T00:00:00Z"), self.claim("a", "2026-01-01T00:00:00Z")
        assert owner_of([new, old]) is old
        assert owner_of([old, new]) is old

    def test_equal_age_is_decided_by_name_and_nobody_wins_nothing(self):
        one, two = self.claim("a", ""), self.claim("b", "")
        assert owner_of([two, one]) is one
        assert owner_of([]) is None

    def test_the_disabled_do_not_ask(self):
        old, new = self.claim("z", "2025-01-01T00:00:00Z", "Disabled"), self.claim("a", "2026-01-01T00:00:00Z")
        assert owner_of([new, old]) is new


class TestReading:
    def test_text_of_a_config_map(self):
        assert read_key({"data": {"index.js": "code"}}, REF) == b"code"

    def test_bytes_of_a_config_map_and_of_a_secret(self):
        encoded = base64.b64encode(b"\xff\x00").decode()
        assert read_key({"binaryData": {"index.js": encoded}}, REF) == b"\xff\x00"
        assert read_key({"data": {"index.js": encoded}}, SECRET) == b"\xff\x00"

    def test_a_missing_object_and_a_missing_key_are_told_apart(self):
        missing = read_key(None, REF)
        assert isinstance(missing, Missing)
        assert missing.reason == "ConfigMapNotFound"
        assert "ConfigMap ns/cm" in missing.message
        missing = read_key({"data": {"main.js": "x"}}, REF)
        assert isinstance(missing, Missing)
        assert missing.reason == "KeyNotFound"
        assert '"main.js"' in missing.message

    def test_a_secret_that_is_not_base64_is_said_to_be_so(self):
        missing = read_key({"data": {"index.js": "%%%"}}, SECRET)
        assert isinstance(missing, Missing)
        assert missing.reason == "KeyUnreadable"

    @given(st.dictionaries(st.sampled_from(["data", "binaryData", "metadata"]), st.none() | st.integers() | st.text()))
    def test_no_shape_of_an_object_raises(self, obj: dict[str, Any]):
        assert isinstance(read_key(obj, REF), bytes | Missing)
        assert isinstance(read_key(obj, SECRET), bytes | Missing)


class TestServing:
    def test_a_file_knows_its_digests(self):
        file = make_file(CODE * 100, JAVASCRIPT)
        assert file.sha256 == hashlib.sha256(CODE * 100).hexdigest()
        assert file.integrity == "sha384-" + base64.b64encode(hashlib.sha384(CODE * 100).digest()).decode()
        assert gzip.decompress(file.compressed or b"") == CODE * 100
        assert make_file(b"small", JAVASCRIPT).compressed is None

    @pytest.mark.parametrize("content", [b"", b" \n\t "])
    def test_nothing_is_never_served_as_an_empty_file(self, content: bytes):
        served = serve_part(plan_of(bundle()).main, content)
        assert isinstance(served, Missing)
        assert served.reason == "Empty"

    def test_too_much_is_refused(self):
        served = serve_part(plan_of(bundle()).main, b"x" * (MAX_FILE + 1))
        assert isinstance(served, Missing)
        assert served.reason == "TooLarge"


class TestStore:
    def test_serves_and_forgets(self):
        changes: list[int] = []
        store = BundleStore(lambda: changes.append(1))
        outcome = outcome_of(bundle())
        store.put(outcome)
        store.put(outcome)
        assert changes == [1]
        assert isinstance(store.find("/dist/a/index.js"), File)
        store.remove(outcome.plan.id)
        store.remove(outcome.plan.id)
        assert changes == [1, 1]
        assert store.find("/dist/a/index.js") is None

    def test_a_path_without_bytes_answers_with_the_reason_and_is_not_listed(self):
        store = BundleStore()
        store.put(outcome_of(bundle(), Missing("KeyNotFound", "no such key")))
        assert store.find("/dist/a/index.js") == Missing("KeyNotFound", "no such key")
        assert store.served() == []

    def test_the_loser_of_a_path_does_not_take_it_from_its_owner(self):
        store = BundleStore()
        winner = outcome_of(bundle("a"))
        plan = plan_of(js_bundle("b", "other", labels={"kubesphere.io/extension-ref": "a"}))
        store.put(winner)
        store.put(Outcome(plan, {plan.main.link: taken(plan.main, winner.plan.id)}))
        assert store.find("/dist/a/index.js") is winner.main
        assert [outcome.plan.id.name for outcome in store.served()] == ["a"]

    def test_a_bundle_that_moves_leaves_no_trace(self):
        store = BundleStore()
        store.put(outcome_of(bundle()))
        store.put(outcome_of(bundle(status={"link": "/dist/a/other.js"})))
        assert store.find("/dist/a/index.js") is None
        assert isinstance(store.find("/dist/a/other.js"), File)


class TestStatus:
    def test_a_served_bundle_is_available_with_its_link_and_digest(self):
        obj = bundle(status={})
        obj["metadata"]["generation"] = 3
        status = wanted_status(obj, outcome_of(obj), NOW)
        assert status is not None
        assert status["state"] == "Available"
        assert status["link"] == "/dist/a/index.js"
        assert status["digest"] == hashlib.sha256(CODE).hexdigest()
        assert status["observedGeneration"] == 3
        (condition,) = status["conditions"]
        assert (condition["type"], condition["status"], condition["reason"]) == ("Available", "True", "Served")

    def test_a_bundle_without_bytes_says_why(self):
        status = wanted_status(bundle(), outcome_of(bundle(), Missing("KeyNotFound", "no such key")), NOW)
        assert status is not None
        assert status["state"] == "Unavailable"
        assert status["conditions"][0]["message"] == "no such key"
        assert "digest" not in status

    def test_an_object_that_cannot_be_read_says_why(self):
        status = wanted_status(bundle(), Missing("Invalid", "names no source"), NOW)
        assert status is not None
        assert status["conditions"][0]["reason"] == "Invalid"

    def test_saying_it_once_is_enough(self):
        obj = bundle()
        status = wanted_status(obj, outcome_of(obj), NOW)
        assert status is not None
        assert wanted_status(bundle(status=status), outcome_of(obj), datetime(2027, 1, 1, tzinfo=UTC)) is None

    @given(
        st.sampled_from([Missing("Invalid", "x"), Missing("Empty", "y")]) | st.just(outcome_of(bundle())),
        st.dictionaries(st.sampled_from(["link", "digest", "conditions"]), st.text()),
    )
    def test_disabled_is_never_touched(self, outcome: Outcome | Missing, rest: dict[str, Any]):
        assert wanted_status(bundle(status={**rest, "state": "Disabled"}), outcome, NOW) is None

    @given(st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=3))
    def test_no_shape_of_status_raises(self, status: Any):
        wanted = wanted_status(bundle(status=status), outcome_of(bundle()), NOW)
        assert json.dumps(wanted)
