"""What an uninstall removed and what it kept, as values: one `Entry` an object, judged by a look at what is there now.

    Removed   it is gone: the API was asked for it and has it no more
    Leaving   its deletion is accepted, and a finalizer or its namespace is waited for
    Kept      it is still there, and `why` says by whose choice
    Foreign   the chart names it, but it is somebody else's: it was not touched

Pure: the looking is done by `receipts`.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from dovetail.kube import finalizers_of, is_deleting, uid_of

Origin = Literal["Chart", "Hook", "Definition", "Platform", "Dependent", "Instance", "Content", "Claim", "Cluster"]
"""Who made it: the chart, a hook, the chart's crds/, the platform for the extension, a controller of the cluster for
one of these, somebody as a custom resource of the chart's definitions, somebody in the extension's namespace, a
StatefulSet as a claim; Cluster is a whole member cluster that could not be reached."""
Outcome = Literal["", "Removed", "Leaving", "Kept", "Foreign"]
_PLAIN: Final = 256 << 10
_MAX_DECODED: Final = 64 << 20


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One object. `uid` is empty when it was not there as the uninstall began."""

    api_version: str = ""
    kind: str
    namespace: str = ""
    name: str
    uid: str = ""
    origin: Origin
    reason: str = ""
    """Why it would be kept, as known when the uninstall began."""
    foreign: str = ""
    """Whose it is, when it is not the extension's."""
    outcome: Outcome = ""
    why: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The whole: `complete` when nothing is Leaving any more. Times are RFC 3339."""

    extension: str
    version: str = ""
    namespace: str = ""
    plan_uid: str = ""
    requested_by: str = ""
    begun_at: str = ""
    finished_at: str = ""
    forced: bool = False
    complete: bool = False
    notes: tuple[str, ...] = ()
    objects: tuple[Entry, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many objects had which outcome."""
        counted: dict[str, int] = {}
        for entry in self.objects:
            counted[entry.outcome or "Unknown"] = counted.get(entry.outcome or "Unknown", 0) + 1
        return dict(sorted(counted.items()))

    @property
    def summary(self) -> str:
        """In one line."""
        counted = ", ".join(f"{number} {outcome.lower()}" for outcome, number in self.counts.items())
        return f"{self.extension} {self.version}: {counted or 'there was nothing'}"


def judged(entry: Entry, live: Mapping[str, Any] | None, *, forced: bool) -> Entry:
    """The entry with its outcome; `live` is the object's metadata now, None when it is gone."""
    outcome, why = _outcome(entry, live, forced)
    return msgspec.structs.replace(entry, outcome=outcome, why=why)


def _outcome(entry: Entry, live: Mapping[str, Any] | None, forced: bool) -> tuple[Outcome, str]:
    if live is None:
        return "Removed", "" if entry.uid else "it was not there when the uninstall began"
    if entry.uid and uid_of(live) != entry.uid:
        return "Removed", "somebody has made another one of this name since"
    if entry.foreign:
        return "Foreign", entry.foreign
    if is_deleting(live):
        return "Leaving", _waited_for(live)
    if forced:
        return "Kept", "the deletion was forced (kubesphere.io/force-delete): nothing was removed"
    return "Kept", entry.reason or "it is still there: delete it by hand if nothing needs it"


def _waited_for(live: Mapping[str, Any]) -> str:
    holders = ", ".join(finalizers_of(live))
    return f"its finalizers are waited for: {holders}" if holders else "its deletion is under way"


def packed(receipt: Receipt) -> dict[str, Any]:
    """`data` and `binaryData` of the ConfigMap."""
    text = msgspec.json.encode(receipt)
    told = {"summary": receipt.summary}
    if len(text) <= _PLAIN:
        return {"data": {**told, "receipt.json": text.decode()}, "binaryData": {}}
    import base64

    small = base64.b64encode(zlib.compress(text, wbits=31)).decode()
    return {"data": told, "binaryData": {"receipt.json.gz": small}}


def unpacked(obj: Mapping[str, Any]) -> Receipt:
    """Read a ConfigMap. Raises ValueError when it holds no receipt."""
    data: Mapping[str, str] = obj.get("data") or {}
    if "receipt.json" in data:
        return msgspec.json.decode(data["receipt.json"], type=Receipt)
    binary: Mapping[str, str] = obj.get("binaryData") or {}
    if "receipt.json.gz" not in binary:
        raise ValueError("the ConfigMap holds no receipt")
    import base64

    try:
        text = zlib.decompressobj(wbits=31).decompress(base64.b64decode(binary["receipt.json.gz"]), _MAX_DECODED)
    except zlib.error as error:
        raise ValueError(f"the receipt does not unpack: {error}") from error
    return msgspec.json.decode(text, type=Receipt)


def finished(receipt: Receipt, objects: Sequence[Entry], now: str, *, forced: bool) -> Receipt:
    """The receipt after a look at everything."""
    complete = all(entry.outcome != "Leaving" for entry in objects)
    return msgspec.structs.replace(
        receipt, objects=tuple(objects), finished_at=now, complete=complete, forced=forced or receipt.forced
    )
