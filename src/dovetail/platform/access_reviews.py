"""/kapis/iam.kubesphere.io/v1beta1/subjectaccessreviews: the decision function over HTTP.

One review or a list of them (kind SubjectAccessReviewList), in Kubernetes' shape; a list is answered in its own order.
Who may ask about others is decided like everything else: `create subjectaccessreviews`.
"""

from collections.abc import Mapping
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.attributes import Attributes, of_resource
from dovetail.iam.authorizer import decide
from dovetail.iam.policy import Identity
from dovetail.platform.answers import NO_STORE, json_answer, json_body
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import describes
from dovetail.platform.errors import BadRequest

PATH = "/kapis/iam.kubesphere.io/v1beta1/subjectaccessreviews"
_MOST = 200
_FIELDS = {
    "verb": "verb", "group": "group", "version": "version", "resource": "resource", "name": "name",
    "subresource": "subresource", "namespace": "namespace", "workspace": "workspace",
}  # fmt: skip
_PLACES: Mapping[str, tuple[str, ...]] = {
    "": ("workspace", "namespace"), "Global": (), "Cluster": (), "Workspace": ("workspace",),
    "Namespace": ("namespace",),
}  # fmt: skip
_NEEDED = {"Workspace": "workspace", "Namespace": "namespace"}


class AccessReviews:
    """POST `PATH`."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [Route(PATH, self.review, methods=["POST"])]

    @describes(body="SubjectAccessReview", answer="SubjectAccessReview", code=201)
    async def review(self, request: Request) -> Response:
        """Fill in `status` of each review."""
        body = await json_body(request)
        items = body.get("items")
        if not isinstance(items, list):
            return json_answer(self._reviewed(body), 201, NO_STORE)
        reviews = cast("list[object]", items)
        if len(reviews) > _MOST:
            raise BadRequest(f"more than {_MOST} reviews; ask in parts")
        return json_answer({**body, "items": [self._reviewed(_mapping(one)) for one in reviews]}, 201, NO_STORE)

    def _reviewed(self, review: Mapping[str, Any]) -> dict[str, Any]:
        spec = _mapping(review.get("spec"))
        decision = decide(self._deps.policy(), self._identity(spec), read_attributes(spec))
        return {**review, "status": {"allowed": decision.allowed, "reason": decision.reason}}

    def _identity(self, spec: Mapping[str, Any]) -> Identity:
        """The user with the groups asked for, or else with those of its account."""
        user, groups = str(spec.get("user") or ""), spec.get("groups")
        if isinstance(groups, list):
            return Identity(name=user, groups=tuple(map(str, cast("list[object]", groups))))
        account = self._deps.policy().accounts.get(user)
        return Identity(name=user, groups=account.groups if account else ())


def read_attributes(spec: Mapping[str, Any]) -> Attributes:
    """The attributes that a review's spec describes. Raises BadRequest."""
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if isinstance(resource, Mapping):
        return _of_resource(cast("Mapping[str, object]", resource))
    if isinstance(path, Mapping):
        asked = cast("Mapping[str, object]", path)
        return Attributes(verb=str(asked.get("verb") or "").lower(), path=str(asked.get("path") or ""))
    raise BadRequest("spec needs resourceAttributes or nonResourceAttributes")


def _of_resource(asked: Mapping[str, object]) -> Attributes:
    """A resource at the scope that `resourceScope` names, or else at its own. Raises BadRequest."""
    fields = {ours: str(asked.get(theirs) or "") for theirs, ours in _FIELDS.items()}
    scope = str(asked.get("resourceScope") or "")
    kept = _PLACES.get(scope)
    if kept is None:
        raise BadRequest(f"resourceScope is none of {', '.join(filter(None, _PLACES))}: {scope!r}")
    if scope in _NEEDED and not fields[_NEEDED[scope]]:
        raise BadRequest(f"resourceScope {scope} needs {_NEEDED[scope]}")
    fields |= {place: "" for place in ("workspace", "namespace") if place not in kept}
    verb, group, resource = fields.pop("verb"), fields.pop("group"), fields.pop("resource")
    return of_resource(verb, group, resource, **fields)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadRequest("a review is an object with a spec")
    return cast("Mapping[str, Any]", value)
