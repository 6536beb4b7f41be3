"""The paths that are not resources: health, metrics, version, discovery, OpenAPI, keys of service account tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ..access.service_tokens import ISSUER, ServiceTokens
from ..errors import MethodNotAllowed, NoSuchPath, NotAcceptable
from ..media_types import JSON, OFFERED, YAML, ranges
from ..registry.catalogue import Catalogue
from ..requests import Query, RequestInfo
from ..verbs.answer import Answer
from . import documents, metrics
from .health import Health
from .metrics import Metrics
from .negotiation import choose, digest, kept
from .openapi_endpoints import OpenApiEndpoints
from .version import version_info

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
_HEALTH = ("/healthz", "/livez", "/readyz")
_AN_HOUR = ((b"Cache-Control", b"public, max-age=3600"),)

Headers = Mapping[bytes, bytes]


class Endpoints:
    """``server`` is host:port as clients reach it. ``health`` and ``metrics`` are for the server to fill."""

    def __init__(self, catalogue: Catalogue, tokens: ServiceTokens, server: str) -> None:
        self._catalogue, self._tokens, self.server = catalogue, tokens, server
        self.health, self.metrics = Health(), Metrics()
        self._openapi = OpenApiEndpoints(catalogue)
        self._revision = 0
        self._made: dict[tuple[str, str], tuple[bytes, str]] = {}

    def answer(self, info: RequestInfo, headers: Headers, query: Query) -> Answer:
        """Raises NoSuchPath, MethodNotAllowed, NotAcceptable."""
        path = info.path.rstrip("/") or "/"
        if info.verb not in ("get", "head"):
            raise MethodNotAllowed("", path, info.verb)
        if path.startswith(_HEALTH):
            return self._health(path, query)
        if path in ("/api", "/apis"):
            return self._groups(path, headers)
        if path.startswith(("/api/", "/apis/")):
            return _negotiated(self._group_or_version(path), headers)
        if path.startswith("/openapi/"):
            return self._openapi.answer(path, headers, query)
        return self._other(path)

    def _health(self, path: str, query: Query) -> Answer:
        found = self.health.answer(path, query)
        if found is None:
            raise NoSuchPath
        return found

    def _other(self, path: str) -> Answer:
        if path == "/version":
            return Answer(orjson.dumps(version_info()))
        if path == "/":
            return Answer(orjson.dumps({"paths": self._paths()}))
        if path == "/metrics":
            return Answer(self.metrics.text(), content_type=metrics.CONTENT_TYPE)
        if path == "/openid/v1/jwks":
            body = orjson.dumps(self._tokens.jwks())
            return Answer(body, content_type="application/jwk-set+json", headers=_AN_HOUR)
        if path == "/.well-known/openid-configuration":
            return Answer(orjson.dumps(self._oidc()), headers=_AN_HOUR)
        raise NoSuchPath

    def _oidc(self) -> dict[str, Any]:
        return {
            "issuer": ISSUER, "jwks_uri": f"https://{self.server}/openid/v1/jwks",
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }  # fmt: skip

    def _paths(self) -> list[str]:
        """Everything that is served here, for people who look around."""
        found = {"/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/", "/metrics", "/openapi/v2"}
        found |= {"/openapi/v3", "/openapi/v3/", "/openid/v1/jwks", "/version", *self.health.paths()}
        for name in self._catalogue.groups():
            if name:
                found.add(f"/apis/{name}")
                found |= {f"/apis/{name}/{version}" for version in self._catalogue.versions(name)}
        return sorted(found)

    # -- discovery

    def _groups(self, path: str, headers: Headers) -> Answer:
        for taken in ranges(headers.get(b"accept", b"").decode("latin-1")):
            if not taken.covers(JSON):
                continue
            version = taken.parameters.get("v", "")
            if taken.parameters.get("as") == "APIGroupDiscoveryList" and version in documents.AGGREGATED:
                body, tag = self._aggregated(path, version)
                further = ((b"Vary", b"Accept"), (b"Cache-Control", b"public"))
                return kept(body, tag, _AGGREGATED.format(version), headers, further)
            if "as" not in taken.parameters:
                break
        plain = documents.core_versions(self.server) if path == "/api" else documents.group_list(self._catalogue)
        return _negotiated(plain, headers)

    def _aggregated(self, path: str, version: str) -> tuple[bytes, str]:
        if self._revision != self._catalogue.revision:
            self._revision, self._made = self._catalogue.revision, {}
        made = self._made.get((path, version))
        if made is None:
            body = orjson.dumps(documents.aggregated(self._catalogue, path == "/api", version))
            made = self._made[path, version] = (body, digest(body))
        return made

    def _group_or_version(self, path: str) -> documents.Document:
        parts = path.strip("/").split("/")
        found = None
        if parts[0] == "api" and len(parts) == 2:
            found = documents.resource_list(self._catalogue, "", parts[1])
        elif parts[0] == "apis" and len(parts) == 2:
            found = documents.group(self._catalogue, parts[1])
        elif parts[0] == "apis" and len(parts) == 3:
            found = documents.resource_list(self._catalogue, parts[1], parts[2])
        if found is None:
            raise NoSuchPath
        return found


def _negotiated(document: documents.Document, headers: Headers) -> Answer:
    kind = choose(headers, OFFERED)
    if kind is None:
        raise NotAcceptable(OFFERED)
    body = orjson.dumps(document)
    if kind == JSON:
        return Answer(body)
    from ..verbs.output import to_yaml

    return Answer(to_yaml(body), content_type=YAML)
