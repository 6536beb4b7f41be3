"""Data that an uninstall would take away, as YAML that kubectl applies: first the definitions and namespaces it needs.

What the cluster wrote into the objects is left out (uids, versions, owners, status, the volume that a claim is bound
to), so they can be made again, here or in another cluster. The data inside of volumes is not in an export: take it with
a snapshot or a copy before.

Every text that YAML could read as something else is quoted: what comes back is what was there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from dovetail.kube import CRDS, NAMESPACES, Client, NotFound, Resource, UnknownKind
from dovetail.kube.resources import Object
from dovetail.lifecycle.data_loss import UninstallPreview
from dovetail.lifecycle.receipt import Entry

if TYPE_CHECKING:
    import yaml

_METADATA: Final = ("name", "namespace", "labels", "annotations")
_BOUND: Final = ("pv.kubernetes.io/", "volume.kubernetes.io/", "volume.beta.kubernetes.io/", "kubectl.kubernetes.io/")
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_HEAD: Final = """\
# Data of the extension {extension} {version}, before its uninstall.
# Restore it with kubectl apply -f; a second time if definitions are in it, for they must be served first.
# What lies in volumes is not in here.
"""


async def export(client: Client, preview: UninstallPreview, write: Callable[[str], object]) -> list[Entry]:
    """Write everything that would be lost; what was written. Raises KubeError."""
    data = preview.data
    write(_HEAD.format(extension=preview.extension, version=preview.version or "(never installed)"))
    for entry in _needed(preview, data):
        await _one(client, entry, write)
    return [entry for entry in data if await _one(client, entry, write)]


def _needed(preview: UninstallPreview, data: Sequence[Entry]) -> list[Entry]:
    """Definitions and namespaces that go, too, and without which the data cannot be made again."""
    spaces = {entry.namespace for entry in data}
    groups = {entry.api_version.rpartition("/")[0] for entry in data}
    return [
        entry
        for entry in preview.removed
        if (entry.kind == NAMESPACES.kind and entry.name in spaces)
        or (entry.kind == CRDS.kind and entry.name.partition(".")[2] in groups)
    ]


async def _one(client: Client, entry: Entry, write: Callable[[str], object]) -> bool:
    try:
        resource: Resource = await client.discover(entry.api_version, entry.kind)
        obj = await client.get(resource, entry.name, entry.namespace or None)
    except (NotFound, UnknownKind):  # it went meanwhile
        return False
    write(f"---\n{as_yaml(restorable(obj, entry))}")
    return True


def restorable(obj: Object, entry: Entry) -> Object:
    """The object as somebody would write it."""
    meta = cast("Mapping[str, Any]", obj.get("metadata") or {})
    kept = {name: meta[name] for name in _METADATA if meta.get(name)}
    if "annotations" in kept:
        notes = {name: text for name, text in kept["annotations"].items() if not name.startswith(_BOUND)}
        kept = {**kept, "annotations": notes} if notes else {k: v for k, v in kept.items() if k != "annotations"}
    rest = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    if entry.kind == "PersistentVolumeClaim":
        rest["spec"] = {name: value for name, value in rest.get("spec", {}).items() if name != "volumeName"}
    if entry.kind == NAMESPACES.kind:
        rest.pop("spec", None)
    return {"apiVersion": entry.api_version, "kind": entry.kind, "metadata": kept, **rest}


def as_yaml(obj: Object) -> str:
    """One document."""
    import yaml

    return yaml.dump(obj, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=1 << 16)


def _dumper() -> "type[yaml.SafeDumper]":
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes every text that is not plainly one; no aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> "yaml.ScalarNode":
        plain = _PLAIN.match(value) and value.lower() not in _WORDS
        scalar = cast("Any", dumper).represent_scalar
        return scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')

    Dumper.add_representer(str, text)
    return Dumper
