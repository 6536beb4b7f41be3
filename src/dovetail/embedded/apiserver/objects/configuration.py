"""Secrets and config maps: write-only text, types, immutability, sizes."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import orjson

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part
from .strategy import Context, Strategy

Object = dict[str, Any]

_LIMIT = 1024 * 1024
_KEY = re.compile(r"[-._a-zA-Z0-9]+\Z")
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_ACCOUNT = "kubernetes.io/service-account.name"


class SecretStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        texts = part(obj, "stringData")
        obj.pop("stringData", None)
        for key, text in texts.items():
            obj.setdefault("data", {})[key] = base64.b64encode(str(text).encode()).decode()

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        errors = [*_data_errors(obj, ("data",)), *_immutable_errors(obj, old)]
        if old is not None and obj.get("type") != old.get("type"):
            errors.append(fe.invalid("type", obj.get("type"), "field is immutable"))
        return errors + list(_type_errors(obj))


def _type_errors(obj: Object) -> Iterator[FieldError]:
    kind, data = str(obj.get("type")), part(obj, "data")
    for key in _REQUIRED_KEYS.get(kind, ()):
        if key not in data:
            yield fe.required(f"data[{key}]")
        elif key.startswith(".docker") and (problem := _json_problem(data[key])):
            yield fe.invalid(f"data[{key}]", "<secret contents redacted>", problem)
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        yield from (fe.required(f"data[{key}]") for key in ("username", "password"))
    if kind == "kubernetes.io/service-account-token" and not part(obj, "metadata", "annotations").get(_ACCOUNT):
        yield fe.required(f"metadata.annotations[{_ACCOUNT}]")


def _json_problem(encoded: str) -> str:
    """What Go's decoder says about bytes that should be a JSON object, or ""."""
    raw = base64.b64decode(encoded)
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        if not raw.strip():
            return "unexpected end of JSON input"
        return f"invalid character {chr(raw.strip()[0])!r} looking for beginning of value"
    return ""


class ConfigMapStrategy(Strategy):
    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return [*_data_errors(obj, ("data", "binaryData")), *_immutable_errors(obj, old)]


def _data_errors(obj: Object, names: tuple[str, ...]) -> Iterator[FieldError]:
    total = 0
    for name in names:
        for key, value in part(obj, name).items():
            for problem in _key_problems(key):
                yield fe.invalid(f"{name}[{key}]", key, problem)
            if name == "data" and key in part(obj, "binaryData"):
                yield fe.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
            total += len(value.encode()) if name == "data" and len(names) > 1 else len(base64.b64decode(value))
    if total > _LIMIT:
        yield fe.too_long("" if len(names) > 1 else "data", _LIMIT)


def _key_problems(key: str) -> Iterator[str]:
    if len(key) > 253:
        yield "must be no more than 253 characters"
    if not _KEY.match(key):
        yield _KEY_TEXT
    elif key in (".", ".."):
        yield f"must not be '{key}'"
    elif key.startswith(".."):
        yield "must not start with '..'"


def _immutable_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    if old is None or not old.get("immutable"):
        return
    if not obj.get("immutable"):
        yield fe.forbidden("immutable", "field is immutable when `immutable` is set")
    for name in ("data", "binaryData"):
        if obj.get(name) != old.get(name):
            yield fe.forbidden(name, "field is immutable when `immutable` is set")
