"""The boot document, the tokens, encodings and paths: pure."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.dialects import ExtensionEntry, extension_entry
from dovetail.console.boot import boot_body, bundles_token, etag_of, extensions_of
from dovetail.console.bundles.model import Outcome
from dovetail.console.bundles.planning import plan_of
from dovetail.console.bundles.resolving import serve_part
from dovetail.console.changes import Changes, Tokens
from dovetail.console.encodings import choose, matches_etag
from dovetail.console.events import frame
from dovetail.console.identity import Caller, caller_of
from dovetail.console.settings import ConsoleSettings
from dovetail.console.static import file_name, wants_page
from tests.console.harness import js_bundle


def outcome(name: str, extension: str | None = None, version: str = "1") -> Outcome:
    obj = js_bundle(name, f"code of {name}", labels={"kubesphere.io/extension-ref": extension or name})
    obj["metadata"]["resourceVersion"] = version
    obj["status"] = {"link": f"/dist/{extension or name}/{name}.js"}
    plan = plan_of(obj)
    return Outcome(plan, {plan.main.link: serve_part(plan.main, f"code of {name}".encode())})


def entry(name: str, *titles: str, extension: str = "", state: str = "") -> ExtensionEntry:
    labels = {"kubesphere.io/extension-ref": extension} if extension else {}
    return extension_entry(
        {"apiVersion": "extensions.kubesphere.io/v1alpha1", "kind": "ExtensionEntry",
         "metadata": {"name": name, "labels": labels}, "status": {"state": state},
         "spec": {"entries": [{"name": title} for title in titles]}}
    )  # fmt: skip


class TestBoot:
    def test_each_served_bundle_is_a_line_with_a_url_that_names_its_bytes(self):
        (line,) = extensions_of([outcome("a")], [])
        assert line.url == f"/dist/a/a.js?sha256={line.digest.removeprefix('sha256-')}"
        assert line.integrity.startswith("sha384-")
        assert line.extension_name == "a"
        assert line.entries is None

    def test_entries_go_to_the_first_bundle_and_silence_the_menus_of_the_others(self):
        lines = extensions_of([outcome("a", "x"), outcome("b", "x")], [entry("e", "one", "two", extension="x")])
        assert [line.entries for line in lines] == [({"name": "one"}, {"name": "two"}), ()]

    def test_entries_without_a_bundle_are_shown_all_the_same(self):
        (line,) = extensions_of([], [entry("docs", "one")])
        assert (line.url, line.extension_name, line.entries) == ("", "docs", ({"name": "one"},))

    def test_disabled_entries_count_for_nothing(self):
        assert extensions_of([], [entry("docs", "one", state="Disabled")]) == ()

    def test_the_document_is_what_the_page_reads(self):
        settings = ConsoleSettings(socket_path=ConsoleSettings.__dataclass_fields__["static_dir"].default)
        body = json.loads(boot_body(Caller("bob", ("dev",)), settings, extensions_of([outcome("a")], [])))
        assert body["user"] == {"username": "bob", "groups": ["dev"]}
        assert body["token"] == bundles_token(extensions_of([outcome("a")], []))
        assert body["config"]["languages"] == ["en", "zh"]
        (line,) = body["extensions"]
        assert {"name", "extensionName", "link", "url", "digest", "integrity", "resourceVersion"} == set(line)

    def test_the_token_differs_for_other_bytes_but_not_for_another_version_of_the_object(self):
        before = bundles_token(extensions_of([outcome("a")], []))
        assert bundles_token(extensions_of([outcome("a", version="2")], [])) == before
        assert bundles_token(extensions_of([outcome("b")], [])) != before
        assert bundles_token(extensions_of([outcome("a")], [entry("a", "one")])) != before


class TestChanges:
    async def test_who_asks_first_is_told_at_once_and_then_only_of_changes(self):
        changes = Changes("e")
        seen = await changes.after(None, 1)
        assert seen == Tokens("", "e-0")
        assert await changes.after(seen, 0.01) is None
        waiting = asyncio.create_task(changes.after(seen, 10))
        await asyncio.sleep(0)
        changes.set_bundles("x")
        assert await waiting == Tokens("x", "e-0")

    async def test_a_burst_is_one_change(self):
        changes = Changes("e")
        seen = await changes.after(None, 1)
        waiting = asyncio.create_task(changes.after(seen, 10))
        await asyncio.sleep(0)
        for _ in range(5):
            changes.touch_catalogue()
        assert await waiting == Tokens("", "e-5")

    async def test_closing_ends_the_wait(self):
        changes = Changes("e")
        waiting = asyncio.create_task(changes.after(changes.tokens, 10))
        await asyncio.sleep(0)
        changes.close()
        assert await asyncio.wait_for(waiting, 5) is None

    def test_a_frame_is_an_event(self):
        lines = frame(Tokens("a", "b")).decode().split("\n")
        assert "event: change" in lines
        assert 'data: {"bundles":"a","catalogue":"b"}' in lines
        assert lines[-2:] == ["", ""]


class TestEncodings:
    @pytest.mark.parametrize(
        ("header", "ready", "expected"),
        [("gzip, deflate, br", ["gzip", "br"], "br"), ("gzip", ["gzip", "br"], "gzip"), ("", ["gzip"], ""),
         ("gzip;q=0", ["gzip"], ""), ("gzip; q=0.5", ["gzip"], "gzip"), ("br", ["gzip"], ""),
         ("identity", ["gzip"], "")],
    )  # fmt: skip
    def test_choice(self, header: str, ready: list[str], expected: str):
        assert choose(header, ready) == expected

    @pytest.mark.parametrize(
        ("header", "expected"),
        [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("", False)],
    )
    def test_entity_tags(self, header: str, expected: bool):
        assert matches_etag(header, '"a"') is expected

    def test_an_etag_is_quoted(self):
        assert etag_of(b"x").startswith('"')


class TestPaths:
    @pytest.mark.parametrize("path", ["/index.html", "/assets/index-Ab_1.js", "/favicon.svg"])
    def test_files(self, path: str):
        assert file_name(path) == path[1:]

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "",
            "/..",
            "/../x",
            "/a/../b",
            "/.env",
            "/a/.git",
            "//etc/passwd",
            "/a//b",
            "/a%2e",
            "/a\\b",
            "/a\0",
            "/x.gz",
        ],
    )
    def test_what_is_no_file_of_the_page(self, path: str):
        assert file_name(path) is None

    @given(st.text())
    def test_nothing_leaves_the_folder(self, path: str):
        name = file_name(path)
        assert name is None or (not name.startswith(("/", ".")) and ".." not in name.split("/"))


HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/", {}, True),
        ("/login", {"accept": "*/*"}, True),
        ("/greetings", HTML, True),
        ("/greetings", {"accept": "*/*"}, False),
        ("/greetings", {**HTML, "sec-fetch-dest": "document"}, True),
        ("/res/x/image.png", {**HTML, "sec-fetch-dest": "image"}, False),
        ("/grafana", {**HTML, "sec-fetch-dest": "iframe"}, False),
        ("/kapis/x", HTML, False),
        ("/proxy/x", {**HTML, "sec-fetch-dest": "document"}, False),
        ("", HTML, True),
    ],
)
def test_a_page_is_for_people_and_an_error_for_scripts(path: str, headers: dict[str, str], expected: bool):
    assert wants_page(path, headers) is expected


def test_the_caller_is_whom_the_gateway_names():
    from starlette.datastructures import Headers

    raw = [(b"x-remote-user", b"bob"), (b"x-remote-group", b"dev"), (b"x-remote-group", b"ops")]
    assert caller_of(Headers(raw=raw)) == Caller("bob", ("dev", "ops"))
    assert caller_of(Headers({"x-remote-user": ""})) is None
