"""/kapis/config.kubesphere.io/v1alpha2/configs: what a console has to know before anybody has logged in.

`oauth` names the issuer and the identity providers that are not hidden, `configz` says what is switched on, `theme` is
how the console looks. All three are public, so none ever holds a secret; what is written into the theme is shown to
everybody, and is checked to be plain data without scripts.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.kube.errors import AlreadyExists, NotFound
from dovetail.kube.resources import CONFIGMAPS
from dovetail.platform.answers import NO_STORE, json_answer, json_body
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import describes
from dovetail.platform.errors import Unacceptable

BASE: Final = "/kapis/config.kubesphere.io/v1alpha2/configs"
THEME: Final = "platform-theme"
_DATA_KEY: Final = "theme.json"
_ANY: Final = {"type": "object"}
_LARGEST: Final = 512 * 1024
_SCRIPTS: Final = ("javascript:", "vbscript:", "data:text/html", "data:application/xhtml", "data:image/svg")
_DEEPEST: Final = 8

Object = dict[str, Any]


class Configs:
    """The endpoints under `BASE`."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [
            Route(BASE + "/oauth", self.oauth, methods=["GET"]),
            Route(BASE + "/configz", self.configz, methods=["GET"]),
            Route(BASE + "/theme", self.theme, methods=["GET"]),
            Route(BASE + "/theme", self.set_theme, methods=["PUT"]),
        ]

    @describes(answer=_ANY)
    async def oauth(self, request: Request) -> Response:
        """The issuer and the identity providers to log in with."""
        lifetimes = self._deps.sessions.lifetimes
        said = {
            "issuer": {"url": self._deps.issuer},
            "accessTokenMaxAgeSeconds": lifetimes.access,
            "accessTokenInactivityTimeoutSeconds": lifetimes.idle,
            "identityProviders": list(self._providers()),
        }
        return json_answer(said, headers=NO_STORE)

    @describes(answer=_ANY)
    async def configz(self, request: Request) -> Response:
        """What is switched on."""
        providers = bool(self._deps.identity_providers.all())
        said = {"extensions": True, "identityProviders": providers, "multicluster": False, "openidConnect": True}
        return json_answer(said, headers=NO_STORE)

    @describes(answer=_ANY)
    async def theme(self, request: Request) -> Response:
        """How the console looks: whatever was set; empty when nothing was."""
        try:
            stored = await self._deps.client.get(CONFIGMAPS, THEME, SYSTEM_NAMESPACE)
            said: object = orjson.loads(stored.get("data", {}).get(_DATA_KEY, "{}"))
        except (NotFound, orjson.JSONDecodeError):
            said = {}
        return json_answer(cast("Object", said) if isinstance(said, dict) else {}, headers=NO_STORE)

    @describes(body=_ANY, answer=_ANY)
    async def set_theme(self, request: Request) -> Response:
        """Set how the console looks."""
        wanted = await json_body(request, _LARGEST)
        wrong = sorted(set(_wrong(wanted, "theme", 0)))
        if wrong:
            raise Unacceptable("the theme", [(field, "must be plain data, without scripts") for field in wrong])
        made: Object = {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": THEME, "namespace": SYSTEM_NAMESPACE},
            "data": {_DATA_KEY: orjson.dumps(wanted).decode()},
        }  # fmt: skip
        try:
            await self._deps.client.create(CONFIGMAPS, made)
        except AlreadyExists:
            await self._deps.client.update(CONFIGMAPS, made)
        return json_answer(wanted, headers=NO_STORE)

    def _providers(self) -> Iterator[Object]:
        for name, provider in sorted(self._deps.identity_providers.all().items()):
            said = provider.settings
            if not said.hidden:
                shown = {"name": name, "displayName": said.display_name, "type": said.type, "kind": said.kind}
                yield shown | ({"loginURL": f"/oauth/login/{name}"} if said.kind == "redirect" else {})


def _wrong(value: object, field: str, depth: int) -> Iterator[str]:
    """The fields that a browser could be made to run, and those that are too deep."""
    if depth > _DEEPEST or (isinstance(value, str) and _runs(value)):
        yield field
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield from _wrong(inner, f"{field}.{key}", depth + 1)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _wrong(inner, field, depth + 1)


def _runs(text: str) -> bool:
    """As browsers read addresses: without blanks and control characters."""
    return "".join(one for one in text if one > " ").lower().startswith(_SCRIPTS)
