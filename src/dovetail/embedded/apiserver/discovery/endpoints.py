"""The paths that are not resources: health, version, discovery, OpenAPI, the keys of service account tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ..access.service_tokens import ISSUER, ServiceTokens
from ..errors import MethodNotAllowed, NoSuchPath
from ..registry.catalogue import Catalogue
from ..requests import Query, RequestInfo
from ..verbs.answer import JSON, Answer
from . import documents
from .openapi import OpenApi
from .openapi_proto import CONTENT_TYPE
from .version import version_info

_CHECKS = ("ping", "log", "storage")
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


class Endpoints:
    """``server`` is host:port as clients reach it."""

    def __init__(self, catalogue: Catalogue, tokens: ServiceTokens, server: str) -> None:
        self._catalogue, self._tokens, self.server = catalogue, tokens, server
        self._openapi = OpenApi(catalogue)

    def answer(self, info: RequestInfo, headers: Mapping[bytes, bytes], query: Query) -> Answer:
        """Raises NoSuchPath, MethodNotAllowed."""
        path = info.path.rstrip("/") or "/"
        if info.verb != "get":
            raise MethodNotAllowed("", path, info.verb)
        if path in ("/healthz", "/livez", "/readyz"):
            return _health(query)
        if path.startswith(("/healthz/", "/livez/", "/readyz/")):
            return Answer(b"ok", content_type="text/plain; charset=utf-8")
        if path in ("/api", "/apis"):
            return self._groups(path, headers.get(b"accept", b"").decode("latin-1"))
        if path.startswith(("/api/", "/apis/")):
            return self._group_or_version(path)
        if path.startswith("/openapi"):
            return self._openapi_answer(path, headers.get(b"accept", b""))
        return self._other(path)

    def _other(self, path: str) -> Answer:
        if path == "/version":
            return Answer(orjson.dumps(version_info()))
        if path == "/":
            return Answer(
                orjson.dumps(
                    {
                        "paths": [
                            "/api",
                            "/apis",
                            "/healthz",
                            "/livez",
                            "/openapi/v2",
                            "/openapi/v3",
                            "/readyz",
                            "/version",
                        ]
                    }
                )
            )
        if path == "/openid/v1/jwks":
            return Answer(orjson.dumps(self._tokens.jwks()), content_type="application/jwk-set+json")
        if path == "/.well-known/openid-configuration":
            return Answer(orjson.dumps(self._oidc()))
        raise NoSuchPath

    def _oidc(self) -> dict[str, Any]:
        return {
            "issuer": ISSUER, "jwks_uri": f"https://{self.server}/openid/v1/jwks",
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }  # fmt: skip

    def _groups(self, path: str, accept: str) -> Answer:
        for item in accept.split(","):
            options = dict(part.strip().split("=", 1) for part in item.split(";")[1:] if "=" in part)
            version = options.get("v", "")
            if options.get("as") == "APIGroupDiscoveryList" and version in documents.AGGREGATED:
                body = documents.aggregated(self._catalogue, path == "/api", version)
                return Answer(orjson.dumps(body), content_type=_AGGREGATED.format(version))
        if path == "/api":
            return Answer(orjson.dumps(documents.core_versions(self.server)))
        return Answer(orjson.dumps(documents.group_list(self._catalogue)))

    def _group_or_version(self, path: str) -> Answer:
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            found = documents.resource_list(self._catalogue, "", parts[1])
        elif parts[0] == "apis" and len(parts) == 2:
            found = documents.group(self._catalogue, parts[1])
        elif parts[0] == "apis" and len(parts) == 3:
            found = documents.resource_list(self._catalogue, parts[1], parts[2])
        else:
            found = None
        if found is None:
            raise NoSuchPath
        return Answer(orjson.dumps(found))

    def _openapi_answer(self, path: str, accept: bytes) -> Answer:
        if path == "/openapi/v2":
            protobuf = b"protobuf" in accept and b"json" not in accept
            kind = CONTENT_TYPE if protobuf else JSON
            return Answer(self._openapi.v2(protobuf=protobuf), content_type=kind)
        if path == "/openapi/v3":
            return Answer(self._openapi.v3_index())
        body = self._openapi.v3(path.removeprefix("/openapi/v3/"))
        if body is None:
            raise NoSuchPath
        return Answer(body)


def _health(query: Query) -> Answer:
    if query.has("verbose"):
        lines = [f"[+]{name} ok" for name in _CHECKS]
        return Answer("\n".join([*lines, "readyz check passed\n"]).encode(), content_type="text/plain; charset=utf-8")
    return Answer(b"ok", content_type="text/plain; charset=utf-8")
