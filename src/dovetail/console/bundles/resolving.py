"""From the bytes that were found, or not found, to what is served: objects in, files and reasons out. Pure."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from dovetail.console.bundles.model import MAX_FILE, BundleId, File, Missing, ObjectRef, Part, make_file
from dovetail.console.reading import child


def read_key(obj: Mapping[str, Any] | None, ref: ObjectRef) -> bytes | Missing:
    """The bytes under a key of a ConfigMap (`data`, else `binaryData`) or of a Secret (`data`)."""
    if obj is None:
        return Missing(f"{ref.kind}NotFound", f"{ref} does not exist. Create it, or correct spec.rawFrom.")
    found = _secret_value(obj, ref) if ref.kind == "Secret" else _config_map_value(obj, ref)
    if found is None:
        return Missing("KeyNotFound", f'{ref} has no key "{ref.key}"; it has {_names(obj)}.')
    return found


def _config_map_value(obj: Mapping[str, Any], ref: ObjectRef) -> bytes | Missing | None:
    text = child(obj, "data").get(ref.key)
    if isinstance(text, str):
        return text.encode()
    return _decoded(child(obj, "binaryData").get(ref.key), ref)


def _secret_value(obj: Mapping[str, Any], ref: ObjectRef) -> bytes | Missing | None:
    return _decoded(child(obj, "data").get(ref.key), ref)


def _decoded(text: object, ref: ObjectRef) -> bytes | Missing | None:
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return Missing("KeyUnreadable", f'The key "{ref.key}" of {ref} is not valid base64.')


def _names(obj: Mapping[str, Any]) -> str:
    names = sorted({*child(obj, "data"), *child(obj, "binaryData")})
    return ", ".join(f'"{name}"' for name in names[:10]) + (", ..." if len(names) > 10 else "") or "none"


def serve_part(part: Part, content: bytes | Missing) -> File | Missing:
    """What is served for a part: never an empty answer, never a huge one."""
    if isinstance(content, Missing):
        return content
    if not content.strip():
        return Missing("Empty", f"The source of {part.link} is empty. Put the built JavaScript there.")
    if len(content) > MAX_FILE:
        return Missing("TooLarge", f"The source of {part.link} has {len(content):,} bytes; {MAX_FILE:,} are allowed.")
    file = make_file(content, part.media_type)
    if part.digest and file.sha256 != part.digest:
        why = f"The source of {part.link} has the digest sha256:{file.sha256}, not sha256:{part.digest} as it should."
        return Missing("DigestMismatch", why)
    return file


def taken(part: Part, owner: BundleId) -> Missing:
    """The reason for a path that belongs to another bundle."""
    return Missing(
        "LinkTaken", f"{part.link} is served for the older JSBundle {owner.name} ({owner.group}). Choose another link."
    )
