"""Filling in templates: `[[name]]` becomes a text, `[[title|quoted]]` a quoted one, blocks stay or go.

    [[#backend]]        a line of its own: what follows stays only if `backend` is there
    [[/backend]]

Brackets, because braces belong to Helm. A layer is a folder under files/; `dot-` at the beginning of a name stands for
a dot, and an ending `.tmpl` goes (it keeps the tools of this repository off files of other people's repositories).
"""

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_BLOCK: Final = re.compile(r"\[\[([#/])(\w+)\]\]\n?\Z")
_PLACE: Final = re.compile(r"\[\[(\w+)(\|quoted)?\]\]")
_SUFFIX: Final = ".tmpl"

Values = Mapping[str, str]


def layer(name: str, values: Values) -> dict[str, bytes]:
    """The files of one layer, filled in, by path."""
    root = files("dovetail.packaging.projects") / "files" / name
    return {_path(path): fill(text, values).encode() for path, text in sorted(_texts(root))}


def fill(text: str, values: Values) -> str:
    """A template's text with its places and blocks decided by `values`; an empty value is one that is not there."""
    kept = "".join(_kept(text, values))
    return _PLACE.sub(lambda match: _place(values[match[1]], quoted=bool(match[2])), kept)


def _kept(text: str, values: Values) -> Iterator[str]:
    inside: list[bool] = []
    for line in text.splitlines(keepends=True):
        block = _BLOCK.match(line)
        if block is None:
            if all(inside):
                yield line
        elif block[1] == "#":
            inside.append(bool(values.get(block[2])))
        else:
            inside.pop()


def _place(value: str, *, quoted: bool) -> str:
    """A JSON string is a string in YAML and in TypeScript, too."""
    return json.dumps(value, ensure_ascii=False) if quoted else value


def _path(path: str) -> str:
    parts = (f".{part[4:]}" if part.startswith("dot-") else part for part in path.split("/"))
    return "/".join(parts).removesuffix(_SUFFIX)


def _texts(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _texts(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_text("utf-8")
