"""Writing catalogue objects: an Extension for each package, an ExtensionVersion for each version of it.

Used by repositories (a package behind a URL) and for uploads (a package in a ConfigMap). The objects themselves are
made by `dovetail.packaging.objects`. An Extension shows its newest version; an older package never overwrites a newer
one's texts.
"""

from collections.abc import Mapping
from typing import Any, Final

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, EXTENSIONVERSIONS
from dovetail.kube import AlreadyExists, Client, labels_of, owner_reference
from dovetail.kube.resources import Object
from dovetail.lifecycle.objects import spec_of

MANAGER: Final = "dovetail"
_SHOWN: Final = ("displayName", "description", "icon", "provider", "maintainers", "created")


def extension_from(version: Mapping[str, Any], name: str) -> Object:
    """The Extension that an ExtensionVersion's own texts describe."""
    spec, marks = spec_of(version), labels_of(version)
    kept = {label: marks[label] for label in (labels.CATEGORY, labels.REPOSITORY_REF) if label in marks}
    return {
        "apiVersion": EXTENSIONS.api_version,
        "kind": EXTENSIONS.kind,
        "metadata": {"name": name, "labels": {**kept, labels.MANAGED: "true"}},
        "spec": {field: spec[field] for field in _SHOWN if field in spec},
    }


async def ensure_extension(client: Client, extension: Object, *, owner: Object | None = None) -> Object:
    """The Extension as it is, made if it is missing. `owner` is the Repository it came from.

    For callers who did not find it in their cache: it is probably missing.
    """
    name = extension["metadata"]["name"]
    if owner is not None:
        extension = {
            **extension,
            "metadata": {**extension["metadata"], "ownerReferences": [owner_reference(owner, controller=False)]},
        }
    try:
        return await client.create(EXTENSIONS, extension, field_manager=MANAGER)
    except AlreadyExists:
        return await client.get(EXTENSIONS, name)


async def show(client: Client, extension: Object) -> None:
    """Let the Extension show these texts."""
    change = {"metadata": {"labels": extension["metadata"]["labels"]}, "spec": extension["spec"]}
    await client.patch(EXTENSIONS, extension["metadata"]["name"], change)


async def put_version(client: Client, version: Object, extension: Object) -> None:
    """Make or replace an ExtensionVersion, owned by its Extension."""
    metadata = {**version["metadata"], "ownerReferences": [owner_reference(extension, controller=False)]}
    await client.apply(EXTENSIONVERSIONS, {**version, "metadata": metadata}, field_manager=MANAGER, force=True)


async def hand_over(client: Client, shown: Object, extension: Object, owner: Mapping[str, Any]) -> None:
    """Let the Extension belong to another repository, and show what that says."""
    kept = [one for one in extension["metadata"].get("ownerReferences") or () if one.get("kind") != owner["kind"]]
    metadata = {"labels": shown["metadata"]["labels"], "ownerReferences": [*kept, dict(owner)]}
    change = {"metadata": metadata, "spec": shown["spec"]}
    await client.patch(EXTENSIONS, extension["metadata"]["name"], change)
