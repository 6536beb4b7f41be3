"""/kapis/config.kubesphere.io/v1alpha2/platformconfigs: settings of the platform and of extensions, kept as Secrets.

A setting is a name and `data`, any JSON object. It may hold secrets: its values are shown to who may `update` it; who
may only read sees which there are. Secrets of another type cannot be reached by any name.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.kube.errors import AlreadyExists, NotFound
from dovetail.kube.objects import is_deleting, resource_version_of, uid_of
from dovetail.kube.resources import SECRETS
from dovetail.kube.status import status_body
from dovetail.platform.answers import JSON, NO_STORE, json_answer, json_body, media_type
from dovetail.platform.callers import caller
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import LIST_QUERY, describes
from dovetail.platform.errors import Clash, Missing, Unacceptable, UnknownMediaType
from dovetail.platform.listing import page_of, read_query
from dovetail.platform.patches import MERGE_PATCH, again
from dovetail.platform.rights import holds_outside
from dovetail.platform.user_edit import merged

GROUP: Final = "config.kubesphere.io"
PLURAL: Final = "platformconfigs"
BASE: Final = f"/kapis/{GROUP}/v1alpha2/{PLURAL}"
SECRET_TYPE: Final = "config.kubesphere.io/generic-platform-config"
_LABELS: Final = {"config.kubesphere.io/type": "generic-platform-config"}
_PREFIX: Final = "platform-config-"
_DATA_KEY: Final = "configuration.yaml"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,198}[a-z0-9])?\Z")
_KIND: Final = {"apiVersion": f"{GROUP}/v1alpha2", "kind": "PlatformConfig"}

Object = dict[str, Any]


class PlatformConfigs:
    """The endpoints under `BASE`."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        one = BASE + "/{config}"
        return [
            Route(BASE, self.list, methods=["GET"]),
            Route(BASE, self.create, methods=["POST"]),
            Route(one, self.get, methods=["GET"]),
            Route(one, self.replace, methods=["PUT"]),
            Route(one, self.patch, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    @describes(answer="PlatformConfigPage", query=LIST_QUERY)
    async def list(self, request: Request) -> Response:
        """Settings by the query grammar of all lists."""
        query = read_query(request.query_params.multi_items())
        selector = ",".join(f"{key}={value}" for key, value in _LABELS.items())
        stored = (await self._deps.client.list(SECRETS, SYSTEM_NAMESPACE, label_selector=selector)).items
        return json_answer(
            page_of([self._shown(request, one) for one in stored if _is_one(one)], query), headers=NO_STORE
        )

    @describes(body="PlatformConfig", answer="PlatformConfig", code=201)
    async def create(self, request: Request) -> Response:
        """A new setting."""
        name, data, _ = _read(await json_body(request), "")
        try:
            stored = await self._deps.client.create(SECRETS, _secret(name, data))
        except AlreadyExists as error:
            raise Clash(f'{PLURAL}.{GROUP} "{name}" already exists', exists=True) from error
        return json_answer(self._shown(request, stored), 201, NO_STORE)

    @describes(answer="PlatformConfig")
    async def get(self, request: Request) -> Response:
        """One setting; its values are shown to who may update it."""
        return json_answer(self._shown(request, await self._stored(request)), headers=NO_STORE)

    @describes(body="PlatformConfig", answer="PlatformConfig")
    async def replace(self, request: Request) -> Response:
        """Other data for a setting."""
        _, data, version = _read(await json_body(request), request.path_params["config"])
        return await self._written(request, lambda before: data, version)

    @describes(body={MERGE_PATCH: {"type": "object"}}, answer="PlatformConfig")
    async def patch(self, request: Request) -> Response:
        """A part of the data of a setting anew (RFC 7396)."""
        if media_type(request) != MERGE_PATCH:
            raise UnknownMediaType(media_type(request), (MERGE_PATCH,))
        _, data, version = _read(await json_body(request), request.path_params["config"])
        return await self._written(request, lambda before: merged(before, data), version)

    @describes(answer="Status")
    async def delete(self, request: Request) -> Response:
        """Delete a setting."""
        stored = await self._stored(request)
        await self._deps.client.delete(SECRETS, stored["metadata"]["name"], SYSTEM_NAMESPACE, uid=uid_of(stored))
        return Response(status_body(200, "", "the setting is deleted"), 200, NO_STORE, JSON)

    async def _written(self, request: Request, change: Callable[[Object], Object], version: str) -> Response:
        async def once() -> Object:
            before = await self._stored(request)
            wanted = _secret(request.path_params["config"], change(_data_of(before)))
            wanted["metadata"] |= {"uid": uid_of(before), "resourceVersion": version or resource_version_of(before)}
            return await self._deps.client.update(SECRETS, wanted)

        return json_answer(self._shown(request, await again(once)), headers=NO_STORE)

    async def _stored(self, request: Request) -> Object:
        name = request.path_params["config"]
        if _NAME.match(name):
            try:
                stored = await self._deps.client.get(SECRETS, _PREFIX + name, SYSTEM_NAMESPACE)
            except NotFound:
                stored = {}
            if _is_one(stored):
                return stored
        raise Missing(f'{PLURAL}.{GROUP} "{name}" not found')

    def _shown(self, request: Request, stored: Mapping[str, Any]) -> Object:
        data, metadata = _data_of(stored), stored["metadata"]
        kept = {key: metadata[key] for key in ("uid", "resourceVersion", "creationTimestamp") if key in metadata}
        made: Object = {**_KIND, "metadata": {"name": metadata["name"].removeprefix(_PREFIX), **kept}, "data": data}
        if holds_outside(self._deps, caller(request), "update", GROUP, PLURAL):
            return made
        return {**made, "data": dict.fromkeys(data), "hidden": True}


def _is_one(stored: Mapping[str, Any]) -> bool:
    return stored.get("type") == SECRET_TYPE and not is_deleting(stored)


def _data_of(stored: Mapping[str, Any]) -> Object:
    try:
        data = orjson.loads(b64decode(stored["data"][_DATA_KEY]))
    except (KeyError, ValueError, TypeError):
        data = {}
    return cast("Object", data) if isinstance(data, dict) else {}


def _secret(name: str, data: Mapping[str, Any]) -> Object:
    return {
        "apiVersion": "v1", "kind": "Secret", "type": SECRET_TYPE,
        "metadata": {"name": _PREFIX + name, "namespace": SYSTEM_NAMESPACE, "labels": _LABELS},
        "data": {_DATA_KEY: b64encode(orjson.dumps(data)).decode()},
    }  # fmt: skip


def _read(body: Mapping[str, Any], url: str) -> tuple[str, Object, str]:
    """Name, data and version of a body that is about the object of the URL. Raises Unacceptable."""
    metadata: Any = body.get("metadata") or {}
    metadata = cast("Object", metadata) if isinstance(metadata, dict) else {}
    name, data, version = metadata.get("name", url), body.get("data", {}), metadata.get("resourceVersion", "")
    wrong: list[tuple[str, str]] = []
    if not isinstance(name, str) or not _NAME.match(name) or (url and name != url):
        wrong.append(("metadata.name", "must be the name in the URL" if url else "must be a name in lower case"))
    if not isinstance(data, dict):
        wrong.append(("data", "must be an object"))
    if any(body.get(key, value) != value for key, value in _KIND.items()):
        wrong.append(("kind", "must be PlatformConfig of config.kubesphere.io/v1alpha2"))
    if wrong:
        raise Unacceptable("the PlatformConfig", wrong)
    return str(name), cast("Object", data), version if isinstance(version, str) else ""
