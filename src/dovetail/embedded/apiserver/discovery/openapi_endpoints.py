"""/openapi/v2 and /openapi/v3: the documents of ``openapi`` with the headers by which clients keep them.

The index of v3 names a hash for each group version. A document that is asked for with its hash never changes and may
be kept for ever; one that is asked for with another hash is to be found under the right one.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from time import time

from ..errors import NoSuchPath, NotAcceptable
from ..media_types import JSON
from ..registry.catalogue import Catalogue
from ..requests import Query
from ..verbs.answer import Answer
from .negotiation import choose, digest, kept
from .openapi import OpenApi
from .openapi_proto import CONTENT_TYPE

_V2 = (JSON, CONTENT_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
_A_YEAR = 365 * 24 * 3600
_VARY = (b"Vary", b"Accept")

Headers = Mapping[bytes, bytes]


class OpenApiEndpoints:
    def __init__(self, catalogue: Catalogue) -> None:
        self._documents = OpenApi(catalogue)
        self._digests: dict[int, tuple[bytes, str]] = {}

    def answer(self, path: str, headers: Headers, query: Query) -> Answer:
        """Raises NoSuchPath, NotAcceptable."""
        if path == "/openapi/v2":
            return self._v2(headers)
        if choose(headers, (JSON,)) is None:
            raise NotAcceptable((JSON,))
        if path == "/openapi/v3":
            body = self._documents.v3_index()
            return kept(body, digest(body), JSON, headers, [_VARY])
        return self._v3(path.removeprefix("/openapi/v3/"), headers, query)

    def _v2(self, headers: Headers) -> Answer:
        kind = choose(headers, _V2)
        if kind is None:
            raise NotAcceptable(_V2[:2])
        protobuf = kind != JSON
        body = self._documents.v2(protobuf=protobuf)
        slot = int(protobuf)
        if self._digests.get(slot, (b"", ""))[0] is not body:
            self._digests[slot] = (body, digest(body))
        return kept(body, self._digests[slot][1], CONTENT_TYPE if protobuf else JSON, headers, [_VARY])

    def _v3(self, path: str, headers: Headers, query: Query) -> Answer:
        tag = self._documents.v3_hash(path)
        if tag is None:
            raise NoSuchPath
        asked = query.get("hash")
        if asked and asked != tag:
            location = f"/openapi/v3/{path}?hash={tag}".encode()
            return Answer(b"", 301, JSON, [(b"Location", location)])
        further = [_VARY]
        if asked:
            expires = formatdate(time() + _A_YEAR, usegmt=True).encode()
            further += [(b"Cache-Control", b"public, immutable"), (b"Expires", expires)]
        return kept(self._documents.v3(path), tag, JSON, headers, further)
