"""Helm's own records, read where Helm keeps them: Secrets of the release's namespace.

One Secret a revision, named `sh.helm.release.v1.<release>.v<revision>`, labelled `owner=helm`, `name`, `status`,
`version`, plus the release's own labels; `data.release` is base64 of base64 of gzip of JSON. What a decision needs is
in the labels, so a release can be watched without Helm and without its content.

`marked_failed` unlocks: Helm refuses every operation on a release that a crash left in `pending-*`, and has no
command for it. Pure functions; writing the Secret back is the caller's.
"""

import base64
import gzip
import json
import zlib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from dovetail.helm.errors import HelmProtocolError

SELECTOR: Final = "owner=helm"
SECRET_TYPE: Final = "helm.sh/release.v1"

DEPLOYED: Final = "deployed"
FAILED: Final = "failed"
SUPERSEDED: Final = "superseded"
UNINSTALLING: Final = "uninstalling"
UNINSTALLED: Final = "uninstalled"
PENDING: Final = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})

_MAX_DECODED = 64 << 20


@dataclass(frozen=True)
class ReleaseRecord:
    """One revision of a release as its Secret's metadata tells it."""

    name: str
    namespace: str
    revision: int
    status: str
    labels: Mapping[str, str]
    secret: str


def record_of(secret: Mapping[str, Any]) -> ReleaseRecord | None:
    """The record in a Secret (its `metadata` is enough), or None when it is not Helm's."""
    metadata = cast("Mapping[str, Any]", secret["metadata"])
    labels = cast("Mapping[str, str]", metadata.get("labels") or {})
    if labels.get("owner") != "helm" or not labels.get("version", "").isdigit():
        return None
    return ReleaseRecord(
        name=labels.get("name", ""),
        namespace=str(metadata.get("namespace", "")),
        revision=int(labels["version"]),
        status=labels.get("status", ""),
        labels=labels,
        secret=str(metadata["name"]),
    )


def latest(records: Iterable[ReleaseRecord]) -> ReleaseRecord | None:
    """The newest revision, the one that Helm goes by."""
    return max(records, key=lambda record: record.revision, default=None)


def deployed(records: Iterable[ReleaseRecord]) -> ReleaseRecord | None:
    """The newest revision that is in force, which is not the latest after a failed upgrade."""
    return latest(record for record in records if record.status == DEPLOYED)


def manifest_of(secret: Mapping[str, Any]) -> str:
    """The rendered objects of a revision, hooks excluded."""
    return str(_decode(secret).get("manifest") or "")


def description_of(secret: Mapping[str, Any]) -> str:
    """What Helm says of a revision; for a failed one, why."""
    return str(_decode(secret).get("info", {}).get("description") or "")


@dataclass(frozen=True)
class Contents:
    """What a revision brought: its manifest, its hooks' manifests, and the definitions of the chart's crds/."""

    manifest: str
    hooks: tuple[str, ...] = ()
    crds: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What it was made from; they may be secret."""


def contents_of(secret: Mapping[str, Any]) -> Contents:
    """Everything that a revision's record tells of objects. Raises HelmProtocolError."""
    release = _decode(secret)
    hooks = cast("list[Mapping[str, Any]]", release.get("hooks") or [])
    files = cast("list[Mapping[str, Any]]", _chart_of(release).get("files") or [])
    crds = [base64.b64decode(file.get("data") or "") for file in files if _is_crd(str(file.get("name") or ""))]
    return Contents(
        str(release.get("manifest") or ""),
        tuple(str(hook.get("manifest") or "") for hook in hooks),
        tuple(data.decode(errors="replace") for data in crds),
        {**(_chart_of(release).get("values") or {}), **(release.get("config") or {})},
    )


def _chart_of(release: Mapping[str, Any]) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", release.get("chart") or {})


def _is_crd(path: str) -> bool:
    return path.startswith("crds/") and path.endswith((".yaml", ".yml", ".json"))


def marked_failed(secret: Mapping[str, Any], why: str) -> dict[str, Any]:
    """A copy of the Secret in which the revision has failed; `why` becomes its description."""
    return _with_status(secret, FAILED, why)


def narrowed(secret: Mapping[str, Any], manifest: str, unwanted_hooks: Container[str]) -> dict[str, Any]:
    """A copy of the Secret whose revision has another manifest, and no hooks with these manifests.

    What a revision does not name, Helm neither deletes nor makes when it uninstalls.
    """
    release = _decode(secret)
    hooks = cast("list[Mapping[str, Any]]", release.get("hooks") or [])
    release |= {
        "manifest": manifest,
        "hooks": [hook for hook in hooks if str(hook.get("manifest") or "") not in unwanted_hooks],
    }
    return {**secret, "data": {**secret["data"], "release": _encode(release)}}


def _with_status(secret: Mapping[str, Any], status: str, description: str) -> dict[str, Any]:
    release = _decode(secret)
    release["info"] = {**release.get("info", {}), "status": status, "description": description}
    metadata = dict(secret["metadata"])
    metadata["labels"] = {**metadata["labels"], "status": status}
    return {**secret, "metadata": metadata, "data": {**secret["data"], "release": _encode(release)}}


def _encode(release: Mapping[str, Any]) -> str:
    payload = base64.b64encode(gzip.compress(json.dumps(release).encode(), mtime=0))
    return base64.b64encode(payload).decode()


def _decode(secret: Mapping[str, Any]) -> dict[str, Any]:
    name = secret["metadata"].get("name", "?")
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        # Bounded: a Secret is at most 1 MiB, but what it unpacks to is not.
        text = zlib.decompressobj(wbits=31).decompress(packed, _MAX_DECODED)
        return cast("dict[str, Any]", json.loads(text))
    except (KeyError, ValueError, zlib.error) as error:
        raise HelmProtocolError(f"the release record {name!r} does not decode ({error})") from error
