"""/kapis/kubesphere.io/v1alpha1/extensions/{name}/plan: what an install or an upgrade would change (docs/plan.md).

    GET  ?version=1.2.0                                        with the InstallPlan's configuration
    POST {"version": "1.2.0", "config": "...", "targetNamespace": "..."}      with one that is being written

Both only look. It takes the right to write the extension's InstallPlan, because who may install it would see all of it
then; the cluster is read as the caller, who is impersonated, so nobody learns here what he could not read elsewhere.
Rendering takes a process and a second: few are made at a time, and none for long.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.errors import InvalidObject
from dovetail.iam.attributes import of_resource
from dovetail.iam.authorizer import decide
from dovetail.kube import Resource
from dovetail.kube.errors import ApiError, Forbidden
from dovetail.lifecycle.objects import mapping
from dovetail.platform.answers import NO_STORE, json_answer, json_body
from dovetail.platform.callers import caller
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import describes
from dovetail.platform.errors import AccessDenied, BadPeer, BadRequest, Missing, SlowDown, Unacceptable
from dovetail.platform.write_options import read_options

if TYPE_CHECKING:
    from dovetail.kube import Client
    from dovetail.lifecycle.preview.document import Plan
    from dovetail.lifecycle.preview.gathering import Asked

PATH: Final = "/kapis/kubesphere.io/v1alpha1/extensions/{name}/plan"
_GROUP: Final = "kubesphere.io"
_REVIEWS: Final = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False)
_BODY_LIMIT: Final = 2 << 20
_AT_ONCE: Final = 2
_WAITING: Final = 8
_SECONDS: Final = 60.0
_PLAN: Final[dict[str, Any]] = {"type": "object", "required": ["extension", "version", "operation", "blocked"]}
_WISH: Final[dict[str, Any]] = {
    "type": "object", "required": ["version"],
    "properties": {"version": {"type": "string"}, "config": {"type": "string"}, "targetNamespace": {"type": "string"}},
}  # fmt: skip


class ExtensionPlans:
    """GET and POST of `PATH`."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._asking = 0

    def routes(self) -> list[Route]:
        return [Route(PATH, self.show, methods=["GET"]), Route(PATH, self.try_out, methods=["POST"])]

    @describes(answer=_PLAN, query={"version": "The version to install, or to change to."})
    async def show(self, request: Request) -> Response:
        """What a version of an extension would change, with the configuration of its InstallPlan."""
        given = request.query_params.multi_items()
        if [key for key, _ in given] not in ([], ["version"]):
            raise BadRequest("the query has the parameter version, once, and no other")
        return await self._answer(request, dict(given))

    @describes(body=_WISH, answer=_PLAN)
    async def try_out(self, request: Request) -> Response:
        """What a version of an extension would change, with this configuration."""
        read_options(request, ())
        return await self._answer(request, await json_body(request, _BODY_LIMIT))

    async def _answer(self, request: Request, wish: Mapping[str, Any]) -> Response:
        name: str = request.path_params["name"]
        self._demand(request, name)
        texts = {key: _text(wish, key) for key in ("version", "config", "targetNamespace")}
        if not texts["version"]:
            raise BadRequest("say which version: the plan of what is asked for is made, not of what may come")
        from dovetail.lifecycle.preview.gathering import Asked

        asked = Asked(name, texts["version"], texts["config"], texts["targetNamespace"] or "")
        return json_answer((await self._in_turn(request, asked)).as_json(), headers=NO_STORE)

    def _demand(self, request: Request, name: str) -> None:
        """The right to write the InstallPlan. Raises AccessDenied."""
        decision = decide(
            self._deps.policy(), caller(request), of_resource("update", _GROUP, "installplans", name=name)
        )
        if not decision.allowed:
            raise AccessDenied(decision.reason)

    async def _in_turn(self, request: Request, asked: "Asked") -> "Plan":
        if self._asking >= _WAITING:
            raise SlowDown("many plans are being made; try again in a moment", 10)
        self._asking += 1
        try:
            async with asyncio.timeout(_SECONDS), self._turns:
                return await self._made(request, asked)
        except TimeoutError as error:
            raise SlowDown(f"the plan was not made within {_SECONDS:g} s; try again", 30) from error
        finally:
            self._asking -= 1

    async def _made(self, request: Request, asked: "Asked") -> "Plan":
        from dovetail.helm import HelmError
        from dovetail.lifecycle.errors import Refused
        from dovetail.lifecycle.preview.gathering import NoSuchVersion

        try:
            return await self._preview(request, asked)
        except NoSuchVersion as error:
            raise Missing(str(error)) from error
        except InvalidObject as error:
            raise BadRequest(str(error)) from error
        except Forbidden as error:
            raise AccessDenied(error.message) from error
        except Refused as error:
            raise Unacceptable(f"{asked.extension} {asked.version}", [("version", str(error))]) from error
        except HelmError as error:
            raise BadPeer(f"no plan could be made: {error}") from error

    async def _preview(self, request: Request, asked: "Asked") -> "Plan":
        # Nobody who does not ask for a plan pays for what makes them.
        from dovetail.helm import HelmWorker
        from dovetail.lifecycle.fetching import Fetcher
        from dovetail.lifecycle.platform_settings import published_settings
        from dovetail.lifecycle.preview.catalogue_source import package_source
        from dovetail.lifecycle.preview.previewing import Asker, Previewer
        from dovetail.lifecycle.settings import LifecycleSettings

        identity = caller(request)
        client = self._deps.client.impersonate(identity.name, identity.groups, identity.uid, identity.extra)
        settings = await published_settings(client, LifecycleSettings(kubeconfig=self._deps.kubeconfig))
        async with HelmWorker() as helm, Fetcher() as fetcher:
            packages = await package_source(client, fetcher, helm)
            trusted = await _may_act_as_accounts(client)
            asker = Asker(f"user {identity.name}", identity.name, tuple(identity.groups), trusted)
            return (await Previewer(client, client, helm, packages, settings, asker).preview(asked)).plan


async def _may_act_as_accounts(client: "Client") -> bool:
    """Whether the caller may act as any extension's account: the cluster says so, whose rights these are."""
    wish = {"verb": "impersonate", "resource": "serviceaccounts"}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    body = {**review, "spec": {"resourceAttributes": wish}}
    try:
        answer = await client.create(_REVIEWS, body)
    except ApiError:
        return False
    return mapping(answer.get("status")).get("allowed") is True


def _text(wish: Mapping[str, Any], key: str) -> str | None:
    value = wish.get(key)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{key} is not a text")
    return value
