"""OpenAPI v2 and v3 documents of everything served: enough for kubectl apply, explain, diff and client-side validation.

Model. The distilled types (``schema.builtin``) and the schemas of custom resources become definitions
(``openapi_schemas``); each resource gets the paths from which clients learn group, version and kind
(``openapi_paths``). Documents are made when asked for, and kept until the catalogue changes.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from ..registry.catalogue import Catalogue
from ..registry.resource import ResourceType
from .openapi_paths import base_of, paths
from .openapi_proto import encode
from .openapi_schemas import Builder
from .version import GIT_VERSION

Document = dict[str, Any]


class OpenApi:
    """Documents as bytes, by catalogue revision."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._revision = 0
        self._v2: dict[bool, bytes] = {}
        self._v3: dict[str, bytes] = {}
        self._hashes: dict[str, str] = {}
        self._index = b""

    def _refresh(self) -> None:
        if self._revision == self._catalogue.revision:
            return
        self._revision, self._v2, self._index = self._catalogue.revision, {}, b""
        resources = self._own()
        hashes = {path: _hash(path, resources) for path in dict.fromkeys(map(_v3_path, resources))}
        # What did not change keeps its document: most changes are those of one definition.
        self._v3 = {path: body for path, body in self._v3.items() if hashes.get(path) == self._hashes[path]}
        self._hashes = hashes

    def _own(self) -> list[ResourceType]:
        """What this server itself serves; the backends of API aggregation have documents of their own."""
        return [resource for resource in self._catalogue.resources() if not resource.remote]

    def v2(self, *, protobuf: bool) -> bytes:
        """JSON, or protobuf as kubectl asks for it."""
        self._refresh()
        if protobuf not in self._v2:
            builder = Builder("#/definitions/", v3=False)
            resources = self._own()
            definitions = builder.definitions(resources)
            body = {"swagger": "2.0", "info": _INFO, "paths": paths(resources, builder), "definitions": definitions}
            self._v2[protobuf] = encode(body) if protobuf else orjson.dumps(body)
        return self._v2[protobuf]

    def v3_index(self) -> bytes:
        self._refresh()
        if not self._index:
            urls = {p: {"serverRelativeURL": f"/openapi/v3/{p}?hash={tag}"} for p, tag in self._hashes.items()}
            self._index = orjson.dumps({"paths": urls})
        return self._index

    def v3_hash(self, path: str) -> str | None:
        """The hash of ``api/v1`` or ``apis/<group>/<version>``; None when that is not served."""
        self._refresh()
        return self._hashes.get(path)

    def v3(self, path: str) -> bytes:
        """The document of a path that has a hash."""
        self._refresh()
        if path not in self._v3:
            resources = [r for r in self._own() if _v3_path(r) == path]
            builder = Builder("#/components/schemas/", v3=True)
            components = {"schemas": builder.definitions(resources)}
            body = {"openapi": "3.0.0", "info": _INFO, "paths": paths(resources, builder), "components": components}
            self._v3[path] = orjson.dumps(body)
        return self._v3[path]


def _hash(path: str, resources: list[ResourceType]) -> str:
    """Changes when the document may have changed; making every document to hash it would cost too much."""
    custom = [r for r in resources if _v3_path(r) == path and r.custom is not None]
    schemas = [r.custom.raw for r in custom if r.custom is not None]
    names = (f"{r.plural}:{r.kind}:{r.namespaced}:{sorted(r.subresources)}" for r in custom)
    seed = "|".join([GIT_VERSION, path, *names]).encode()
    return hashlib.sha512(seed + b"".join(schemas)).hexdigest().upper()


_INFO = {"title": "Kubernetes", "version": GIT_VERSION}


def _v3_path(resource: ResourceType) -> str:
    return base_of(resource)[1:]
