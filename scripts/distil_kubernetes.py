#!/usr/bin/env python3
"""Distil Kubernetes' published field definitions into the small data file that the embedded API server ships.

Input: the PyPI package ``kubernetes-validate`` (Apache-2.0), which carries the OpenAPI definitions of each Kubernetes
release as JSON Schema (``_definitions.json``, 1.6 MB, most of it prose). Output:
``src/dovetail/embedded/apiserver/schema/ kubernetes.json``: every type reachable from the kinds that the server
offers, without prose. The package is needed only to run this script; install it in a throw-away environment:

    python3 -m venv /tmp/distil && /tmp/distil/bin/pip install kubernetes-validate==1.37.0
    /tmp/distil/bin/python scripts/distil_kubernetes.py --kubectl <a kubectl 1.33>

Typed Go clients send built-in kinds as protobuf. The field numbers come from the descriptors that Go's generated code
embeds (gzip-compressed FileDescriptorProto) in every kubectl up to 1.33; numbers never change once given. Numbers that
this kubectl does not know are in ``NEWER`` (read in the ``generated.proto`` files that Kubernetes publishes), and
versions that became stable later have the numbers of the version before (``SAME_NUMBERS``). Fields of alpha features
of 1.36 have none, and the server refuses a body that uses one: kube-apiserver would drop them.

Format (``docs`` of the reader: ``schema/builtin.py``). ``kinds`` maps ``"group/version/Kind"`` to a type name;
``types`` maps a type name to ``{"p": {field: node}, "r": [required], "m": "atomic"?}`` or to a node. A node is one of

    "s" string, "i" integer, "n" number, "b" boolean, "t" time, "y" bytes, "q" quantity, "x" int-or-string,
    "*" any value, "o" free-form object, "@N" the type with index N in ``names``,
    ["m", node, options?] map of strings to node, ["a", node, options?] array, ["@", N, options] reference with options.

A type's ``n`` maps its fields to protobuf numbers; a nested mapping is an embedded Go struct, whose fields JSON shows
flattened:
``{"name": 1, "": {"2": {"hostPath": 1}}}``.

Options: ``l`` list type, ``k`` list map keys, ``s`` patch strategy, ``e`` patch merge key, ``m`` map type.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zlib
from collections.abc import Iterator
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
    ("resource.k8s.io", "v1"),
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

_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
_AGGREGATOR = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1."
_CONDITION = {"type": 1, "status": 2, "lastTransitionTime": 3, "reason": 4, "message": 5}

# Packages whose messages have the numbers of an older version of theirs.
SAME_NUMBERS = {
    "k8s.io.api.admissionregistration.v1.": "k8s.io.api.admissionregistration.v1alpha1.",
    "k8s.io.api.networking.v1.": "k8s.io.api.networking.v1beta1.",
    "k8s.io.api.resource.v1.": "k8s.io.api.resource.v1beta2.",
    "k8s.io.api.storage.v1.": "k8s.io.api.storage.v1beta1.",
}
# Type -> field -> number, for what no kubectl up to 1.33 carries.
NEWER: dict[str, dict[str, int]] = {
    "io.k8s.api.core.v1.PodSpec": {"hostnameOverride": 41},
    "io.k8s.api.core.v1.Container": {"restartPolicyRules": 25},
    "io.k8s.api.core.v1.ContainerRestartRule": {"action": 1, "exitCodes": 2},
    "io.k8s.api.core.v1.ContainerRestartRuleOnExitCodes": {"operator": 1, "values": 2},
    "io.k8s.api.core.v1.EnvVarSource": {"fileKeyRef": 5},
    "io.k8s.api.core.v1.FileKeySelector": {"volumeName": 1, "path": 2, "key": 3, "optional": 4},
    "io.k8s.api.core.v1.VolumeProjection": {"podCertificate": 6},
    "io.k8s.api.core.v1.PodCertificateProjection": {
        "signerName": 1, "keyType": 2, "maxExpirationSeconds": 3, "credentialBundlePath": 4, "keyPath": 5,
        "certificateChainPath": 6, "userAnnotations": 7,
    },
    "io.k8s.api.core.v1.NodeStatus": {"declaredFeatures": 14},
    "io.k8s.api.core.v1.PodStatus": {"extendedResourceClaimStatus": 18, "allocatedResources": 19, "resources": 20},
    "io.k8s.api.core.v1.PodExtendedResourceClaimStatus": {"requestMappings": 1, "resourceClaimName": 2},
    "io.k8s.api.core.v1.ContainerExtendedResourceRequest": {"containerName": 1, "resourceName": 2, "requestName": 3},
    "io.k8s.api.storage.v1.CSIDriverSpec": {"serviceAccountTokenInSecrets": 10},
    "io.k8s.api.resource.v1.DeviceClassSpec": {"extendedResourceName": 4},
    "io.k8s.api.resource.v1.DeviceConstraint": {"distinctAttribute": 3},
    "io.k8s.api.resource.v1.ExactDeviceRequest": {"capacity": 7},
    "io.k8s.api.resource.v1.DeviceSubRequest": {"capacity": 7},
    "io.k8s.api.resource.v1.CapacityRequirements": {"requests": 1},
    "io.k8s.api.resource.v1.AllocationResult": {"allocationTimestamp": 5},
    "io.k8s.api.resource.v1.AllocatedDeviceStatus": {"shareID": 7},
    "io.k8s.api.resource.v1.DeviceRequestAllocationResult": {
        "bindingConditions": 7, "bindingFailureConditions": 8, "shareID": 9, "consumedCapacity": 10,
    },
    "io.k8s.api.resource.v1.Device": {
        "bindsToNode": 9, "bindingConditions": 10, "bindingFailureConditions": 11, "allowMultipleAllocations": 12,
    },
    "io.k8s.api.resource.v1.DeviceCapacity": {"requestPolicy": 2},
    "io.k8s.api.resource.v1.CapacityRequestPolicy": {"default": 1, "validValues": 3, "validRange": 4},
    "io.k8s.api.resource.v1.CapacityRequestPolicyRange": {"min": 1, "max": 2, "step": 3},
    # CustomResourceValidation has no number: its schema is a message of its own that nobody sends as protobuf.
    _EXTENSIONS + "CustomResourceDefinition": {"metadata": 1, "spec": 2, "status": 3},
    _EXTENSIONS + "CustomResourceDefinitionSpec": {
        "group": 1, "names": 3, "scope": 4, "versions": 7, "conversion": 9, "preserveUnknownFields": 10,
    },
    _EXTENSIONS + "CustomResourceConversion": {"strategy": 1, "webhook": 2},
    _EXTENSIONS + "WebhookConversion": {"clientConfig": 2, "conversionReviewVersions": 3},
    _EXTENSIONS + "WebhookClientConfig": {"service": 1, "caBundle": 2, "url": 3},
    _EXTENSIONS + "ServiceReference": {"namespace": 1, "name": 2, "path": 3, "port": 4},
    _EXTENSIONS + "CustomResourceDefinitionNames": {
        "plural": 1, "singular": 2, "shortNames": 3, "kind": 4, "listKind": 5, "categories": 6,
    },
    _EXTENSIONS + "CustomResourceDefinitionVersion": {
        "name": 1, "served": 2, "storage": 3, "schema": 4, "subresources": 5, "additionalPrinterColumns": 6,
        "deprecated": 7, "deprecationWarning": 8, "selectableFields": 9,
    },
    _EXTENSIONS + "CustomResourceColumnDefinition": {
        "name": 1, "type": 2, "format": 3, "description": 4, "priority": 5, "jsonPath": 6,
    },
    _EXTENSIONS + "SelectableField": {"jsonPath": 1},
    _EXTENSIONS + "CustomResourceSubresourceScale": {
        "specReplicasPath": 1, "statusReplicasPath": 2, "labelSelectorPath": 3,
    },
    _EXTENSIONS + "CustomResourceDefinitionStatus": {"conditions": 1, "acceptedNames": 2, "storedVersions": 3},
    _EXTENSIONS + "CustomResourceDefinitionCondition": _CONDITION,
    _AGGREGATOR + "APIService": {"metadata": 1, "spec": 2, "status": 3},
    _AGGREGATOR + "APIServiceSpec": {
        "service": 1, "group": 2, "version": 3, "insecureSkipTLSVerify": 4, "caBundle": 5, "groupPriorityMinimum": 7,
        "versionPriority": 8,
    },
    _AGGREGATOR + "ServiceReference": {"namespace": 1, "name": 2, "port": 3},
    _AGGREGATOR + "APIServiceStatus": {"conditions": 1},
    _AGGREGATOR + "APIServiceCondition": _CONDITION,
}  # fmt: skip
# EphemeralContainer embeds the fields of Container as field 1.
EMBEDDED = {"io.k8s.api.core.v1.EphemeralContainer": {"1": {"restartPolicyRules": 25}}}

Json = dict[str, Any]


# -- protobuf descriptors


def wire(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, value) of each field of a message; values are ints or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size = 8 if tag & 7 == 1 else 4
            value, at = data[at : at + size], at + size
        yield tag >> 3, value


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


Message = dict[str, tuple[int, str]]


def messages(program: bytes) -> dict[str, Message]:
    """Every Kubernetes message in a Go program: full name -> field -> (number, type name of a message field or "")."""
    found: dict[str, Message] = {}
    for match in re.finditer(rb"\x1f\x8b\x08\x00\x00\x00\x00\x00[\x00\x02\x04]\xff", program):
        try:
            reader = zlib.decompressobj(31)
            descriptor = reader.decompress(program[match.start() : match.start() + (1 << 21)])
        except zlib.error:
            continue
        if reader.eof and b"generated.proto" in descriptor[:120]:
            found |= file_messages(descriptor)
    return found


def file_messages(descriptor: bytes) -> dict[str, Message]:
    fields = list(wire(descriptor))
    package = next(value.decode() for number, value in fields if number == 2)
    return {f"{package}.{name}": body for number, value in fields if number == 4 for name, body in [message(value)]}


def message(descriptor: bytes) -> tuple[str, Message]:
    name, fields = "", {}
    for number, value in wire(descriptor):
        if number == 1:
            name = value.decode()
        elif number == 2:
            field = dict(wire(value))
            fields[field[1].decode()] = (field[3], field.get(6, b"").decode().lstrip("."))
    return name, fields


class Distiller:
    """Collects the types reachable from the kinds it is given, in order of discovery."""

    def __init__(self, definitions: Json, protos: dict[str, Message]) -> None:
        self.definitions, self.protos = definitions, protos
        self.index: dict[str, int] = {}
        self.types: list[Any] = []

    def reference(self, name: str) -> int:
        if name not in self.index:
            self.index[name] = len(self.types)
            self.types.append(None)
            entry = self.type_of(self.definitions[name])
            if isinstance(entry, dict) and (numbers := self.numbers_of(name, set(entry["p"]))):
                entry["n"] = numbers
            self.types[self.index[name]] = entry
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

    def numbers_of(self, name: str, known: set[str]) -> Json:
        full = re.sub(r"^io\.k8s\.", "k8s.io.", name)
        older = next((full.replace(new, old, 1) for new, old in SAME_NUMBERS.items() if full.startswith(new)), full)
        proto = self.protos.get(full) or self.protos.get(older)
        numbers = {**(self.numbers(proto, known) if proto is not None else {}), **NEWER.get(name, {})}
        for number, fields in EMBEDDED.get(name, {}).items():
            numbers[""][number] |= fields
        return numbers

    def numbers(self, proto: Message, known: set[str]) -> Json:
        numbers: Json = {}
        spelled = {field.lower(): field for field in known}  # Go's generator turns "uid" into "uID"
        for field, (number, kind) in proto.items():
            if field.lower() in spelled:
                numbers[spelled[field.lower()]] = number
            elif kind in self.protos:
                inner = self.numbers(self.protos[kind], known)
                if inner:
                    numbers.setdefault("", {})[str(number)] = inner
        return numbers

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


def distil(definitions: Json, protos: dict[str, Message]) -> Json:
    distiller, kinds = Distiller(definitions, protos), {}
    for name, definition in sorted(definitions.items()):
        for gvk in definition.get("x-kubernetes-group-version-kind", []):
            group, version, kind = gvk["group"], gvk["version"], gvk["kind"]
            wanted = (group, version) in GROUP_VERSIONS and not kind.endswith("List")
            if wanted and kind != "WatchEvent" and (kind != "DeleteOptions" or not group):
                kinds[f"{group}/{version}/{kind}"] = distiller.reference(name)
    meta = distiller.reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    names = sorted(distiller.index, key=distiller.index.__getitem__)
    return {"release": RELEASE, "meta": meta, "kinds": kinds, "names": names, "types": distiller.types}


def main() -> int:
    parser = argparse.ArgumentParser(description="distil the field definitions of Kubernetes")
    parser.add_argument("--kubectl", type=Path, default=Path("/usr/bin/kubectl"), help="a kubectl up to 1.33")
    given = parser.parse_args()
    try:
        import kubernetes_validate  # pyright: ignore[reportMissingImports]
    except ImportError:
        sys.stderr.write((__doc__ or "").split("\n\n")[1] + "\n\nkubernetes-validate is not installed here.\n")
        return 2
    folder = Path(str(kubernetes_validate.__file__)).parent / "kubernetes-json-schema" / RELEASE
    definitions = json.loads((folder / "_definitions.json").read_text())["$defs"]
    protos = messages(given.kubectl.read_bytes())
    if "k8s.io.api.core.v1.Pod" not in protos:
        sys.stderr.write(f"{given.kubectl} carries no protobuf descriptors; give a kubectl up to 1.33.\n")
        return 2
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(distil(definitions, protos), separators=(",", ":")) + "\n")
    sys.stdout.write(f"{OUTPUT.name}: {OUTPUT.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
