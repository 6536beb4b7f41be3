"""/kapis/kubesphere.io/v1alpha1/namespaces/{namespace}/serviceaccounts/{name}/token: a token on request.

The shape is Kubernetes' TokenRequest: spec.expirationSeconds in, status.token and status.expirationTimestamp out. Who
asks must hold everything that the service account holds.
"""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.serviceaccounts_v1alpha1 import SERVICEACCOUNTS
from dovetail.iam.escalation import missing_of
from dovetail.iam.service_accounts import (
    DEFAULT_SECONDS,
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    identity_of_service,
    token_for,
)
from dovetail.kube.errors import NotFound
from dovetail.kube.objects import is_deleting
from dovetail.kube.timestamps import rfc3339
from dovetail.platform.answers import NO_STORE, json_answer, json_body, part_of
from dovetail.platform.callers import caller
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import AccessDenied, BadRequest, Missing, Unacceptable

PATH = "/kapis/kubesphere.io/v1alpha1/namespaces/{namespace}/serviceaccounts/{name}/token"


class ServiceAccountTokens:
    """POST of the endpoint."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [Route(PATH, self.create, methods=["POST"])]

    async def create(self, request: Request) -> Response:
        """A token of a service account that expires."""
        seconds = _seconds(await json_body(request))
        namespace, name = request.path_params["namespace"], request.path_params["name"]
        account = await self._account(namespace, name)
        who = caller(request)
        if missing_of(self._deps.policy(), who, identity_of_service(account)):
            raise AccessDenied(f'User "{who.name}" cannot act as this service account: it holds more rights')
        token, expires = token_for(self._deps.token_issuer, account, seconds, self._deps.clock())
        answer: dict[str, Any] = {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "metadata": {"name": name, "namespace": namespace}, "spec": {"expirationSeconds": seconds},
            "status": {"token": token, "expirationTimestamp": rfc3339(datetime.fromtimestamp(expires, UTC))},
        }  # fmt: skip
        return json_answer(answer, 201, NO_STORE)

    async def _account(self, namespace: str, name: str) -> dict[str, Any]:
        try:
            found = await self._deps.client.get(SERVICEACCOUNTS, name, namespace)
        except NotFound as error:
            raise Missing(f'serviceaccounts.kubesphere.io "{name}" not found') from error
        if is_deleting(found):
            raise Missing(f'serviceaccounts.kubesphere.io "{name}" is being deleted')
        return found


def _seconds(body: dict[str, Any]) -> int:
    seconds = part_of(body, "spec").get("expirationSeconds") or DEFAULT_SECONDS
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise BadRequest("spec.expirationSeconds is not a whole number")
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        rule = f"must be {SHORTEST_SECONDS} to {LONGEST_SECONDS}"
        raise Unacceptable("TokenRequest", [("spec.expirationSeconds", rule)])
    return seconds
