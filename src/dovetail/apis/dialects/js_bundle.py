"""JSBundle: the front end of an extension, where its bytes are and the public path they are served at."""

import base64
import binascii
import re
from typing import Final

import msgspec

from dovetail.apis import labels
from dovetail.apis.dialects.backend import Backend, read_backend
from dovetail.apis.dialects.meta import Meta, State, open_object, read_state
from dovetail.apis.dialects.reading import Fields, Foreign, finish

_LINK: Final = re.compile(r"/dist(/[A-Za-z0-9][A-Za-z0-9._@+-]*)+")
_FILENAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")
_VERSION_SUFFIX: Final = re.compile(r"-v?[0-9]+\.[0-9]+.*$")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MIME: Final = re.compile(r"[\x20-\x7e]{1,200}")


class KeyRef(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a ConfigMap or Secret."""

    namespace: str
    name: str
    key: str
    optional: bool = False


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A further file: its public path, its type (empty: by its name), its source."""

    link: str
    backend: Backend
    name: str = ""
    mime_type: str = ""
    digest: str = ""


class JSBundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle. The first source that is set counts: raw, config_map, secret, backend."""

    meta: Meta
    raw: bytes | None = None
    config_map: KeyRef | None = None
    secret: KeyRef | None = None
    backend: Backend | None = None
    digest: str = ""
    """The sha256 that the bytes must have, in hexadecimal; empty for any."""
    filename: str = "index.js"
    link: str
    """The public path: what status says, else what follows from the names."""
    style: Asset | None = None
    files: tuple[Asset, ...] = ()
    status: State = State()


def js_bundle(obj: Foreign) -> JSBundle:
    """Read a JSBundle of either group. Raises InvalidObject."""
    opened = open_object(obj, "JSBundle")
    spec, source, assets = opened.spec, opened.spec.child("rawFrom"), opened.spec.child("assets")
    raw = spec.text("raw")
    config_map, secret = _key_ref(source.child("configMapKeyRef")), _key_ref(source.child("secretKeyRef"))
    has_backend = bool(source.raw("url", "service"))
    if not (raw or config_map or secret or has_backend):
        spec.fail("rawFrom", "names no source: give raw, or a configMapKeyRef, a secretKeyRef, a url or a service")
    filename = _filename(spec)
    style = assets.child("style")
    model = JSBundle(
        meta=opened.meta,
        raw=decode_raw(raw) if raw else None,
        config_map=config_map,
        secret=secret,
        backend=read_backend(source) if has_backend else None,
        digest=_digest(source),
        filename=filename,
        link=_link(opened.status) or default_link(opened.meta, filename),
        style=_asset(style) if style.present else None,
        files=tuple(asset for entry in assets.children("files") if (asset := _asset(entry))),
        status=read_state(opened.status),
    )
    return finish(model, "JSBundle", opened.meta.name, opened.errors)


def bundle_link(bundle: JSBundle | Foreign) -> str:
    """The public path of a bundle: status.link, else `/dist/<extension>/<file>`. Raises InvalidObject."""
    return bundle.link if isinstance(bundle, JSBundle) else js_bundle(bundle).link


def default_link(meta: Meta, filename: str) -> str:
    """`/dist/<extension, else Helm release without its version, else object's name>/<filename>`."""
    release = _VERSION_SUFFIX.sub("", meta.annotations.get(labels.HELM_RELEASE_NAME, ""))
    return f"/dist/{meta.labels.get(labels.EXTENSION_REF) or release or meta.name}/{filename}"


def decode_raw(text: str) -> bytes:
    """The JavaScript in `raw`: as text (the seed), as base64 (today), or as base64 twice (an old defect's habit)."""
    data = text.encode()
    for _ in range(2):
        compact = b"".join(data.split())
        try:
            decoded = base64.b64decode(compact, validate=True)
        except binascii.Error:
            break
        if not decoded:
            break
        data = decoded
    return data


def _link(status: Fields) -> str:
    link = status.text("link")
    if link and not is_link(link):
        status.fail("link", "must be a plain path below /dist/, such as /dist/name/index.js")
        return ""
    return link


def is_link(link: str) -> bool:
    """True for a plain path below /dist/: no dot segments, no escapes, no query."""
    return len(link) <= 1024 and _LINK.fullmatch(link) is not None


def _filename(spec: Fields) -> str:
    name = spec.text("filenameOverride") or "index.js"
    if not _FILENAME.fullmatch(name):
        spec.fail("filenameOverride", "must be a plain file name such as index.js")
    return name


def _key_ref(fields: Fields) -> KeyRef | None:
    if not fields.present:
        return None
    for name in ("namespace", "name", "key"):
        if not fields.text(name):
            fields.fail(name, "is needed")
    return KeyRef(
        namespace=fields.text("namespace"),
        name=fields.text("name"),
        key=fields.text("key"),
        optional=fields.flag("optional"),
    )


def _asset(fields: Fields) -> Asset | None:
    link, mime_type = fields.text("link"), fields.text("mimeType")
    if not is_link(link):
        fields.fail("link", "is needed: a plain path below /dist/, such as /dist/name/style.css")
    if mime_type and not _MIME.fullmatch(mime_type):
        fields.fail("mimeType", "must be a content type such as text/css")
    digest, backend = _digest(fields), read_backend(fields)
    if backend is None:
        return None
    return Asset(link=link, backend=backend, name=fields.text("name"), mime_type=mime_type, digest=digest)


def _digest(fields: Fields) -> str:
    text = fields.text("digest")
    if text and not _DIGEST.fullmatch(text):
        fields.fail("digest", "must be sha256: and 64 hexadecimal digits")
    return text.removeprefix("sha256:")
