#!/usr/bin/env python3
"""Distil Kubernetes' published field definitions into the small data file that the embedded API server ships.

Input: the PyPI package ``kubernetes-validate`` (Apache-2.0), which carries the OpenAPI definitions of each Kubernetes
release as JSON Schema (``_definitions.json``, 1.6 MB, most of it prose). Output: ``src/dovetail/embedded/apiserver/schema/
kubernetes.json``: every type reachable from the kinds that the server offers, without prose. The package is needed only
to run this script; install it in a throw-away environment:

    python3 -m venv /tmp/distil && /tmp/distil/bin/pip install kubernetes-validate==1.37.0
    /tmp/distil/bin/python scripts/distil_kubernetes.py

Format (``docs`` of the reader: ``schema/builtin.py``). ``kinds`` maps ``"group/version/Kind"`` to a type name; ``types``
maps a type name to ``{"p": {field: node}, "r": [required], "m": "atomic"?}`` or to a node. A node is one of

    "s" string, "i" integer, "n" number, "b" boolean, "t" time, "y" bytes, "q" quantity, "x" int-or-string,
    "*" any value, "o" free-form object, "@N" the type with index N in ``names``,
    ["m", node, options?] map of strings to node, ["a", node, options?] array, ["@", N, options] reference with options.

Options: ``l`` list type, ``k`` list map keys, ``s`` patch strategy, ``e`` patch merge key, ``m`` map type.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

RELEASE = "v1.36.0-local"
OUTPUT = Path(__file__).resolve().parent.parent / "src/dovetail/embedded/apiserver/schema/kubernetes.json"

# Group versions whose kinds are served (embedded/apiserver/kinds.py picks the resources) or needed as request bodies.
GROUP_VERSIONS = {
    ("", "v1"),
    ("admissionregistration.k8s.io", "v1"),
    ("apiextensions.k8s.io", "v1"),
    ("apiregistration.k8s.io", "v1"),
    ("apps", "v1"),
    ("authentication.k8s.io", "v1"),
    ("authorization.k8s.io", "v1"),
    ("autoscaling", "v1"),
    ("autoscaling", "v2"),
    ("batch", "v1"),
    ("certificates.k8s.io", "v1"),
    ("coordination.k8s.io", "v1"),
    ("discovery.k8s.io", "v1"),
    ("events.k8s.io", "v1"),
    ("flowcontrol.apiserver.k8s.io", "v1"),
    ("networking.k8s.io", "v1"),
    ("node.k8s.io", "v1"),
    ("policy", "v1"),
    ("rbac.authorization.k8s.io", "v1"),
    ("scheduling.k8s.io", "v1"),
    ("storage.k8s.io", "v1"),
}

# Types whose wire form is not what their JSON Schema says.
SPECIAL = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "x",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "t",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "o",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "o",
    # Schemas of custom resources are data here: `schema/structural.py` reads and checks them.
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps": "o",
}
PRIMITIVES = {"string": "s", "integer": "i", "number": "n", "boolean": "b"}
OPTIONS = {
    "x-kubernetes-list-type": "l",
    "x-kubernetes-list-map-keys": "k",
    "x-kubernetes-patch-strategy": "s",
    "x-kubernetes-patch-merge-key": "e",
    "x-kubernetes-map-type": "m",
}
PREFIX = "#/$defs/"

Json = dict[str, Any]


class Distiller:
    """Collects the types reachable from the kinds it is given, in order of discovery."""

    def __init__(self, definitions: Json) -> None:
        self.definitions = definitions
        self.index: dict[str, int] = {}
        self.types: list[Any] = []

    def reference(self, name: str) -> int:
        if name not in self.index:
            self.index[name] = len(self.types)
            self.types.append(None)
            self.types[self.index[name]] = self.type_of(self.definitions[name])
        return self.index[name]

    def type_of(self, definition: Json) -> Any:
        if "properties" not in definition:
            return self.node(definition)
        entry: Json = {"p": {name: self.node(field) for name, field in sorted(definition["properties"].items())}}
        if definition.get("required"):
            entry["r"] = definition["required"]
        if definition.get("x-kubernetes-map-type"):
            entry["m"] = definition["x-kubernetes-map-type"]
        return entry

    def node(self, field: Json) -> Any:
        options = {short: field[long] for long, short in OPTIONS.items() if long in field}
        if "$ref" in field:
            name = field["$ref"].removeprefix(PREFIX)
            if name in SPECIAL:
                return SPECIAL[name]
            number = self.reference(name)
            return ["@", number, options] if options else f"@{number}"
        return self.plain(field, options)

    def plain(self, field: Json, options: Json) -> Any:
        kinds = [kind for kind in as_list(field.get("type")) if kind != "null"]
        if kinds == ["array"]:
            return ["a", self.node(field["items"]), *([options] if options else [])]
        if kinds == ["object"]:
            if "additionalProperties" in field:
                return ["m", self.node(field["additionalProperties"]), *([options] if options else [])]
            return "o"
        if kinds == ["string"] and field.get("format") == "byte":
            return "y"
        return PRIMITIVES[kinds[0]] if kinds else "*"


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def distil(definitions: Json) -> Json:
    distiller, kinds = Distiller(definitions), {}
    for name, definition in sorted(definitions.items()):
        for gvk in definition.get("x-kubernetes-group-version-kind", []):
            group, version, kind = gvk["group"], gvk["version"], gvk["kind"]
            wanted = (group, version) in GROUP_VERSIONS and not kind.endswith("List")
            if wanted and kind not in {"WatchEvent", "DeleteOptions"}:
                kinds[f"{group}/{version}/{kind}"] = distiller.reference(name)
    meta = distiller.reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    names = sorted(distiller.index, key=distiller.index.__getitem__)
    return {"release": RELEASE, "meta": meta, "kinds": kinds, "names": names, "types": distiller.types}


def main() -> int:
    try:
        import kubernetes_validate  # pyright: ignore[reportMissingImports]
    except ImportError:
        sys.stderr.write((__doc__ or "").split("\n\n")[1] + "\n\nkubernetes-validate is not installed here.\n")
        return 2
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / RELEASE
    definitions = json.loads((folder / "_definitions.json").read_text())["$defs"]
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(distil(definitions), separators=(",", ":")) + "\n")
    sys.stdout.write(f"{OUTPUT.name}: {OUTPUT.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
