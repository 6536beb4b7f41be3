"""What a console must offer a bundle before it runs it: read from the bundle's own header, without running it.

A bundle in the `system` format begins with `System.register([names of modules], function (export, context) {...})`
and has one setter a module, which copies exactly the exports that the bundle uses (reference/console.md 3.3). Both are
machine-written and regular enough to be read by a small scanner that knows strings, comments and brackets:

    preflight(b'System.register(["react"],function(e,t){var r;return{setters:[function(e){r=e.useState}],execute...')
    -> Bundle(format="system", imports=(Import("react", ("useState",), whole=False),))

Not a JavaScript parser: what it cannot read is reported as `unreadable`, never guessed.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

Format = Literal["system", "esm", "other"]

_REGISTER: Final = re.compile(r"\bSystem\s*\.\s*register\s*\(")
_STRING: Final = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'")
_BLANK: Final = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SKIPPED: Final = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`", re.DOTALL
)
_ESM: Final = re.compile(
    r"(?:^|[;}\n])\s*(?:import\s*(?:[\w*{\"'][^;]{0,4000}?from\s*)?[\"']|export\s*(?:default\b|\{|\*|const\b|function\b|class\b))"
)
_FUNCTION: Final = re.compile(
    r"(?:async\s+)?(?:function\b\s*[\w$]*\s*\(\s*([\w$]*)[^)]*\)|\(\s*([\w$]*)[^)]*\)\s*=>|([\w$]+)\s*=>)\s*"
)
_SETTERS: Final = re.compile(r"[\"']?\bsetters[\"']?\s*:\s*\[")
_HEADER: Final = 256 * 1024
"""How many characters of a bundle are looked at: setters come first, and a bundle may be megabytes."""


class Import(msgspec.Struct, frozen=True):
    """A module that a bundle needs. `whole`: it takes the module as one value, so any export may be used."""

    module: str
    names: tuple[str, ...] = ()
    whole: bool = False


class Bundle(msgspec.Struct, frozen=True):
    """What is known of a bundle. `unreadable` says why imports or names are missing, empty if all is known."""

    format: Format
    imports: tuple[Import, ...] = ()
    unreadable: str = ""


def preflight(data: bytes) -> Bundle:
    """Read a bundle's header."""
    text = data[: _HEADER * 4].decode("utf-8-sig", "replace")[:_HEADER]
    register = _REGISTER.search(text)
    if register is None:
        return Bundle("esm" if _ESM.search(text) else "other")
    try:
        modules, at = _modules(text, register.end())
        return Bundle("system", tuple(_imports(text, at, modules)))
    except _Unreadable as error:
        return Bundle("system", unreadable=str(error))


class _Unreadable(Exception):
    """The header is not as regular as it should be."""


def _modules(text: str, at: int) -> tuple[list[str], int]:
    """The module names of the register call, and where its function begins. A leading name of the bundle is skipped."""
    at = _blank(text, at)
    if (name := _STRING.match(text, at)) is not None:
        at = _blank(text, name.end())
        at = _expect(text, at, ",")
    at = _expect(text, at, "[")
    modules: list[str] = []
    while not text.startswith("]", at):
        match = _STRING.match(text, at)
        if match is None:
            raise _Unreadable("its list of modules is not plain text")
        modules.append(_unescape(match[1] if match[1] is not None else match[2]))
        at = _blank(text, match.end())
        if not text.startswith("]", at):
            at = _expect(text, at, ",")
    return modules, at + 1


def _blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _expect(text: str, at: int, char: str) -> int:
    if not text.startswith(char, at):
        raise _Unreadable(f"its header has no {char!r} where one belongs")
    return _blank(text, at + 1)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _imports(text: str, at: int, modules: list[str]) -> Iterator[Import]:
    if not modules:
        return
    found = _SETTERS.search(text, at)
    if found is None:
        raise _Unreadable("its setters were not found")
    setters = list(_elements(text, found.end()))
    if len(setters) != len(modules):
        raise _Unreadable(f"it has {len(modules)} modules and {len(setters)} setters")
    for module, setter in zip(modules, setters, strict=True):
        yield _import(module, setter)


def _elements(text: str, at: int) -> Iterator[str]:
    """The elements of an array whose opening bracket is before `at`, split at its own commas."""
    depth, start = 0, at
    while at < len(text):
        skipped = _SKIPPED.match(text, at)
        if skipped is not None and skipped.end() > at:
            at = skipped.end()
            continue
        char = text[at]
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        if depth < 0 or (depth == 0 and char == ","):
            if text[start:at].strip():
                yield text[start:at].strip()
            start = at + 1
        if depth < 0:
            return
        at += 1
    raise _Unreadable("its setters do not end")


def _import(module: str, setter: str) -> Import:
    match = _FUNCTION.match(setter)
    parameter = next((name for name in match.groups() if name), "") if match else ""
    if match is None or not parameter:
        return Import(module)  # `null`, `function () {}`: only run for its effect
    body = _SKIPPED.sub(lambda text: text[0] if text[0][0] in "\"'" else " ", setter[match.end() :])
    name = re.escape(parameter)
    used = re.findall(rf"(?<![\w$.]){name}\s*(?:\.\s*([\w$]+)|\[\s*[\"']([^\"']+)[\"']\s*\])", body)
    names = sorted({one or other for one, other in used})
    # `m.default || m` takes the whole module only where there is no default: that is not a need for everything.
    rest = re.sub(rf"{name}\s*\.\s*default\s*\|\|\s*{name}(?![\w$.\[])", "", body)
    whole = re.search(rf"(?<![\w$.]){name}(?![\w$]|\s*[.\[])", rest) is not None
    return Import(module, tuple(names), whole)
