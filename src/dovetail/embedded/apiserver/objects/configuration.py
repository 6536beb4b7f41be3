"""Secrets and config maps: write-only text, types, immutability, sizes."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part
from .strategy import Context, Strategy

Object = dict[str, Any]

_LIMIT = 1024 * 1024
_KEY = re.compile(r"[-._a-zA-Z0-9]+\Z")
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
    "'KEY_NAME',  or 'key-name', "
    "regex used for validation is '[-._a-zA-Z0-9]+')"
)
_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


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
        wanted = _REQUIRED_KEYS.get(str(obj.get("type")), ())
        return errors + [fe.required(f"data[{key}]") for key in wanted if key not in part(obj, "data")]


class ConfigMapStrategy(Strategy):
    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return [*_data_errors(obj, ("data", "binaryData")), *_immutable_errors(obj, old)]


def _data_errors(obj: Object, names: tuple[str, ...]) -> Iterator[FieldError]:
    total = 0
    for name in names:
        for key, value in part(obj, name).items():
            if not _KEY.match(key) or len(key) > 253:
                yield fe.invalid(f"{name}[{key}]", key, _KEY_TEXT)
            total += len(value) if name == "data" and "binaryData" in names else len(value) * 3 // 4
    if total > _LIMIT:
        yield fe.too_long("" if len(names) > 1 else "data", _LIMIT)


def _immutable_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    if old is None or not old.get("immutable"):
        return
    if not obj.get("immutable"):
        yield fe.forbidden("immutable", "field is immutable when `immutable` is set")
    for name in ("data", "binaryData"):
        if obj.get(name) != old.get(name):
            yield fe.forbidden(name, "field is immutable when `immutable` is set")
