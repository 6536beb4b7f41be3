"""What a bundle needs, read from its header."""

from pathlib import Path

import pytest

from dovetail.packaging.preflight import Bundle, Import, preflight

from .corpus import SAMPLES, archives, each


def test_a_webpack_bundle() -> None:
    source = (
        'System.register(["react","@kubed/components","side"],(function(e,t){var r={},n={};return{setters:['
        "function(e){r.default=e.default,r.useState=e.useState},function(e){n.Loading=e.Loading},function(){}],"
        "execute:function(){}}}));"
    )
    assert preflight(source.encode()) == Bundle(
        "system",
        (Import("react", ("default", "useState")), Import("@kubed/components", ("Loading",)), Import("side")),
    )


def test_newer_webpack_falls_back_to_the_module() -> None:
    source = 'System.register(["m"], function(e){return {setters:[function(m){ x.default = m.default || m; }]}})'
    assert preflight(source.encode()).imports == (Import("m", ("default",)),)


@pytest.mark.parametrize(
    ("setter", "expected"),
    [
        ("function (m) { ns = m; }", Import("m", (), whole=True)),
        ("m => { a = m['b-c']; }", Import("m", ("b-c",))),
        ("(m) => { a = m.b }", Import("m", ("b",))),
        ("async function named(m) { a = m . b }", Import("m", ("b",))),
        ("function (m) { Object.keys(m).forEach(k => x[k] = m[k]) }", Import("m", (), whole=True)),
        ("null", Import("m")),
        ("function (m) { /* m.commented */ a = m.b // m.out\n }", Import("m", ("b",))),
        ("function (m) { a = other.m.x; b = m.b }", Import("m", ("b",))),
    ],
)
def test_setters(setter: str, expected: Import) -> None:
    body = f"function (e) {{ return {{ setters: [{setter}], execute() {{}} }} }}"
    source = f'// built\nSystem.register("name", ["m"], {body});'
    assert preflight(source.encode()).imports == (expected,)


@pytest.mark.parametrize(
    ("source", "format"),
    [
        ("import React from 'react'; export default {}", "esm"), ("export default function () {}", "esm"),
        ("const a = 1;\nexport { a };", "esm"), ('import "x"', "esm"), ("import{a}from'b';", "esm"),
        ("(function () { window.x = 1 })()", "other"), ("", "other"), ("define(['a'], function () {})", "other"),
        ("System.register([], function (e) { return { setters: [], execute() {} } })", "system"),
    ],
)  # fmt: skip
def test_formats(source: str, format: str) -> None:
    assert preflight(source.encode()) == Bundle(format)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "source",
    [
        "System.register(deps, function () {})", 'System.register(["a", function () {})', "System.register(",
        'System.register(["a"], function () { return {} })', 'System.register(["a"], f => ({setters: [])',
        'System.register(["a", "b"], function () { return { setters: [function (a) {}] } })',
        'System.register(["a"], function () { return { setters: [function (a) { "' + "x" * 1000,
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(source: str) -> None:
    bundle = preflight(source.encode())
    assert bundle.format == "system"
    assert bundle.imports == ()
    assert bundle.unreadable


def test_a_large_bundle_is_not_read_to_its_end() -> None:
    source = b'System.register(["m"], function(e){return {setters:[function(m){x=m.y}],execute(){' + b"x;" * 4_000_000
    assert preflight(source).imports == (Import("m", ("y",)),)


def test_our_samples() -> None:
    for version in ("greeter", "greeter-0.2.0"):
        bundle = preflight((SAMPLES / version / "charts/frontend/files/index.js").read_bytes())
        assert [found.module for found in bundle.imports] == ["react"]
        assert not bundle.unreadable


@each(archives())
def test_published_bundles(path: Path) -> None:
    from dovetail.packaging import read_archive

    for name, data in read_archive(path.read_bytes()).files.items():
        if b"System.register" in data:
            bundle = preflight(data)
            assert not bundle.unreadable, name
            assert {"react"} <= {found.module for found in bundle.imports}
            assert not [found for found in bundle.imports if found.whole]
