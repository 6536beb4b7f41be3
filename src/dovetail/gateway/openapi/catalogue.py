"""The documents in force as bytes, with their hashes. A value that is replaced as a whole when something changes.

The index names a hash for each document, as kube-apiserver's does, so that a client keeps a document until it changes.
The merged document of OpenAPI 2.0 is made when it is first asked for.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import orjson

from dovetail.gateway.openapi.merging import merge

ROOT_V3: Final = "/openapi/v3/kapis"
ROOT_V2: Final = "/openapi/v2/kapis"
_TITLE: Final = "Dovetail"

Json = dict[str, Any]


class Published:
    """Bytes and their hash."""

    __slots__ = ("body", "digest")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.digest = hashlib.sha512(body).hexdigest().upper()


class Catalogue:
    """Documents by name: `platform`, or `kapis/<group>/<version>`."""

    def __init__(self, documents: Mapping[str, Json], version: str, before: "Catalogue | None" = None) -> None:
        self.documents = dict(documents)
        self._version = version
        self._published: dict[str, Published] = {
            name: before._published[name]
            if before is not None and before.documents.get(name) is document
            else Published(orjson.dumps(document))
            for name, document in sorted(documents.items())
        }

    def of(self, name: str) -> Published | None:
        """One document of OpenAPI 3.0."""
        return self._published.get(name)

    @cached_property
    def index(self) -> Published:
        """What there is, as kube-apiserver tells it under /openapi/v3."""
        urls = {
            name: {"serverRelativeURL": f"{url_of(name)}?hash={published.digest}"}
            for name, published in self._published.items()
        }
        return Published(orjson.dumps({"paths": urls}))

    @cached_property
    def merged(self) -> Published:
        """Everything in one document of OpenAPI 2.0."""
        return Published(orjson.dumps(merge(self.documents, _TITLE, self._version)))


def url_of(name: str) -> str:
    """Where a document is served."""
    return f"{ROOT_V3}/{name.removeprefix('kapis/')}"


def name_of(path: str) -> str:
    """The document that is served at what follows the root: `platform`, or `<group>/<version>`."""
    return f"kapis/{path}" if "/" in path else path
