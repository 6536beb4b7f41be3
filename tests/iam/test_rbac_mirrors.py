"""Kubernetes' RBAC in step with the platform: the embedded cluster is asked what it would allow, and answers as
`decide` does, for random policies, before and after a random change of them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dovetail.apis import iam_v1beta1 as iam
from dovetail.apis.labels import WORKSPACE
from dovetail.iam import bootstrap, rbac_controllers
from dovetail.iam.attributes import parse
from dovetail.iam.authorizer import decide
from dovetail.iam.compiler import compile_objects
from dovetail.iam.passwords import hash_password
from dovetail.iam.policy import Identity, Policy
from dovetail.iam.rbac_controllers import TARGETS
from dovetail.iam.rbac_objects import PREFIX
from dovetail.iam.rbac_sources import KINDS
from dovetail.kube.client import Client
from dovetail.kube.objects import key_of
from dovetail.kube.resources import CLUSTERROLEBINDINGS, CLUSTERROLES, CRDS, NAMESPACES, ROLEBINDINGS, ROLES, Resource
from tests.iam.kubernetes_requests import RULES, Request, requests
from tests.iam.role_rig import eventually, found, fresh, running

PASSWORD = hash_password("Correct-horse1")
REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False)
SCOPES = sorted(KINDS)
USERS = ["u0", "u1", "u2"]
GROUPS = ["g0", "g1"]
PLACES = ["n0", "n1", "n2"]
WORKSPACES = ["w0", "w1"]
RBAC = "rbac.authorization.k8s.io"

Object = dict[str, Any]


@dataclass
class World:
    """A small platform; names are short here and get a prefix of their own in the cluster."""

    users: dict[str, Object] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    roles: dict[tuple[str, str, str], list[Object]] = field(default_factory=dict)
    bindings: dict[tuple[str, str, str], tuple[str, list[Object]]] = field(default_factory=dict)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    users = {
        name: {"groups": draw(st.lists(st.sampled_from(GROUPS), unique=True)), "disabled": draw(st.integers(0, 3)) == 0}
        for name in USERS
    }
    places = {name: draw(st.sampled_from(["", *WORKSPACES])) for name in PLACES}
    roles = {
        (scope, where, role): draw(st.lists(RULES, max_size=3))
        for scope in SCOPES for where in _wheres(scope) for role in ("r0", "r1")
    }  # fmt: skip
    bindings = {
        (scope, where, name): (draw(st.sampled_from(["r0", "r1", "missing"])), draw(st.lists(SUBJECTS, max_size=3)))
        for scope in SCOPES for where in _wheres(scope) for name in ("b0", "b1") if draw(st.integers(0, 2))
    }  # fmt: skip
    return World(users, places, roles, bindings)


def _wheres(scope: str) -> list[str]:
    return {"workspace": WORKSPACES, "namespace": PLACES}.get(scope, [""])


SUBJECTS = st.sampled_from(
    [{"kind": "User", "name": name} for name in [*USERS, "nobody"]]
    + [{"kind": "Group", "name": name} for name in GROUPS]
    + [{"kind": "ServiceAccount", "name": "sa", "namespace": "n0"}]
)


def objects(world: World, prefix: str) -> dict[str, list[Object]]:
    """The objects of a world, by kind."""

    def named(name: str) -> str:
        return name if name.startswith("system:") else f"{prefix}-{name}"

    def metadata(scope: str, where: str, name: str) -> Object:
        if scope == "namespace":
            return {"name": name, "namespace": named(where)}
        labels = {"labels": {WORKSPACE: named(where)}} if scope == "workspace" else {}
        return {"name": "-".join(part for part in (prefix, where, name) if part), **labels}

    def subject(one: Object) -> Object:
        inside = {"namespace": named(one["namespace"])} if "namespace" in one else {"apiGroup": RBAC}
        return {"kind": one["kind"], "name": named(one["name"]), **inside}

    made: dict[str, list[Object]] = {"User": [], "Namespace": []}
    for name, user in world.users.items():
        obj = bootstrap.admin_user(named(name), PASSWORD)
        obj["spec"]["groups"] = [named(group) for group in user["groups"]]
        made["User"].append(obj | ({"status": {"state": "Disabled" if user["disabled"] else "Active"}}))
    for name, workspace in world.places.items():
        labels = {"labels": {WORKSPACE: named(workspace)}} if workspace else {"labels": {}}
        made["Namespace"].append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": named(name), **labels}})
    for (scope, where, name), rules in world.roles.items():
        kind = KINDS[scope][0]  # type: ignore[index]
        obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata(scope, where, name)}
        made.setdefault(kind.kind, []).append({**obj, "rules": rules})
    for (scope, where, name), (role, who) in world.bindings.items():
        roles, kind = KINDS[scope]  # type: ignore[index]
        reference = {"apiGroup": iam.GROUP, "kind": roles.kind, "name": metadata(scope, where, role)["name"]}
        obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata(scope, where, name)}
        made.setdefault(kind.kind, []).append({**obj, "subjects": [subject(one) for one in who], "roleRef": reference})
    return made


RESOURCES: dict[str, Any] = {
    "User": iam.USERS, "Namespace": NAMESPACES, **{kind.kind: kind for pair in KINDS.values() for kind in pair}
}  # fmt: skip


async def bring_about(client: Client, before: dict[str, list[Object]], after: dict[str, list[Object]]) -> None:
    """Change the cluster from one world to another."""
    for kind, resource in RESOURCES.items():
        old = {key_of(obj): obj for obj in before.get(kind, ())}
        new = {key_of(obj): obj for obj in after.get(kind, ())}
        for key in old.keys() - new.keys():
            await client.delete(resource, key.name, key.namespace or None)
        for key, obj in new.items():
            await _put(client, resource, old.get(key), obj)


async def _put(client: Client, resource: Any, old: Object | None, new: Object) -> None:
    key = key_of(new)
    if old is None:
        await client.create(resource, new)
    elif old != new:
        changed = {part: value for part, value in new.items() if part not in {"metadata", "status"}}
        if resource is NAMESPACES:
            changed = {"metadata": {"labels": {WORKSPACE: None, **new["metadata"]["labels"]}}}
        await client.patch(resource, key.name, changed, key.namespace or None)
    if "status" in new and (old is None or old["status"] != new["status"]):
        await client.patch(resource, key.name, {"status": new["status"]}, subresource="status")


@dataclass(frozen=True)
class Question:
    """May this identity make this request?"""

    user: str
    groups: tuple[str, ...]
    request: Request

    def above(self, policy: Policy) -> bool:
        request = self.request
        identity = Identity(name=self.user, groups=self.groups)
        return decide(policy, identity, parse(request.method, request.path, request.query)).allowed

    async def below(self, client: Client) -> bool:
        answer = await client.create(REVIEWS, self.request.review(self.user, [*self.groups]))
        return bool(answer["status"]["allowed"])


def questions(prefix: str, world: World, asked: list[Request]) -> list[Question]:
    who = [(f"{prefix}-{name}", tuple(f"{prefix}-{group}" for group in user["groups"]))
           for name, user in world.users.items() if not user["disabled"]]  # fmt: skip
    who += [(f"{prefix}-{name}", ()) for name, user in world.users.items() if user["disabled"]]
    who += [(f"system:serviceaccount:{prefix}-n0:{prefix}-sa", ())]
    placed = [
        Request(**{**vars(one), "namespace": f"{prefix}-{one.namespace}" if one.namespace else ""}) for one in asked
    ]
    return [Question(user, groups, request) for user, groups in who for request in placed]


async def wrong(client: Client, policy: Policy, asked: list[Question]) -> list[Question]:
    """The questions that Kubernetes answers otherwise."""
    below = await asyncio.gather(*(question.below(client) for question in asked))
    return [question for question, answer in zip(asked, below, strict=True) if answer != question.above(policy)]


async def agrees(client: Client, made: dict[str, list[Object]], asked: list[Question]) -> int:
    """Wait until both sides agree on everything, and stay so; how many questions were answered with yes."""
    policy = compile_objects(made).policy()
    left: list[list[Question]] = [asked]

    async def nothing_left() -> bool:
        left[0] = await wrong(client, policy, left[0])
        return not left[0]

    try:
        await eventually(nothing_left)
    except TimeoutError:
        raise AssertionError([(one, one.above(policy)) for one in left[0][:3]]) from None
    assert not await wrong(client, policy, asked)
    return sum(question.above(policy) for question in asked)


REQUESTS = st.lists(requests(PLACES), min_size=20, max_size=20, unique=True)


@settings(
    max_examples=2, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)  # fmt: skip
@given(worlds(), worlds(), REQUESTS)
async def test_kubernetes_answers_as_the_platform(
    platform_crds: Any, first: World, second: World, asked: list[Request]
) -> None:
    prefix = fresh()
    async with running(platform_crds, rbac_controllers.controllers) as client:
        nothing: dict[str, list[Object]] = {}
        before, after = objects(first, prefix), objects(second, prefix)
        await bring_about(client, nothing, before)
        await agrees(client, before, questions(prefix, first, asked))
        await bring_about(client, before, after)
        await agrees(client, after, questions(prefix, second, asked))
        await bring_about(client, after, {"Namespace": after["Namespace"]})
        await eventually(lambda: nothing_is_left(client, prefix))


async def nothing_is_left(client: Client, prefix: str) -> bool:
    names = [
        key_of(obj).name for target in TARGETS.values() for obj in (await client.list(target)).items
        if key_of(obj).name.startswith(PREFIX) and (prefix in key_of(obj).name or prefix in key_of(obj).namespace)
    ]  # fmt: skip
    return not names


EDIT = {"verbs": ["get", "create"], "apiGroups": ["apps"], "resources": ["deployments"]}


def small(rules: list[Object]) -> World:
    """One user who holds a role of each scope; n0 and n1 are projects of w0."""
    roles = {("namespace", "n0", "r0"): rules, ("workspace", "w0", "r0"): rules, ("cluster", "", "r0"): rules,
             ("global", "", "r0"): rules}  # fmt: skip
    bindings = {(scope, where, "b0"): ("r0", [{"kind": "User", "name": "u0"}]) for scope, where, _ in roles}
    return World({"u0": {"groups": [], "disabled": False}}, {"n0": "w0", "n1": "w0"}, roles, bindings)


async def test_names_drift_and_the_work_of_one_change(platform_crds: Any) -> None:
    prefix = fresh()
    made = objects(small([EDIT]), prefix)
    made["ClusterRoleBinding"][0]["subjects"].append({"apiGroup": RBAC, "kind": "Group", "name": "system:masters"})
    async with running(platform_crds, rbac_controllers.controllers) as client:
        await bring_about(client, {}, made)
        shown = [
            (CLUSTERROLEBINDINGS, f"{PREFIX}{prefix}-b0", None, f"{PREFIX}{prefix}-r0"),
            (CLUSTERROLEBINDINGS, f"{PREFIX}global:{prefix}-b0", None, f"{PREFIX}global:{prefix}-r0"),
            (ROLEBINDINGS, f"{PREFIX}b0", f"{prefix}-n0", f"{PREFIX}r0"),
            (ROLEBINDINGS, f"{PREFIX}workspace:{prefix}-w0-r0", f"{prefix}-n0", f"{PREFIX}workspace:{prefix}-w0-r0"),
            (ROLEBINDINGS, f"{PREFIX}workspace:{prefix}-w0-r0", f"{prefix}-n1", f"{PREFIX}workspace:{prefix}-w0-r0"),
        ]

        async def whole() -> bool:
            there = [await found(client, kind, name, namespace) for kind, name, namespace, _ in shown]
            return all(
                obj is not None
                and len(obj.get("subjects", ())) == 1
                and obj["roleRef"]["name"] == role
                and obj["metadata"]["labels"]
                for obj, (*_, role) in zip(there, shown, strict=True)
            )

        await eventually(whole)
        await client.patch(ROLEBINDINGS, f"{PREFIX}b0", {"subjects": [], "metadata": {"labels": None}}, f"{prefix}-n0")
        await client.delete(CLUSTERROLEBINDINGS, f"{PREFIX}{prefix}-b0")
        await eventually(whole)
        await client.patch(ROLES, f"{PREFIX}r0", {"rules": []}, f"{prefix}-n0")
        await client.delete(CLUSTERROLES, f"{PREFIX}workspace:{prefix}-w0-r0")

        async def roles_are_whole() -> bool:
            role = await client.get(ROLES, f"{PREFIX}r0", f"{prefix}-n0")
            shared = await found(client, CLUSTERROLES, f"{PREFIX}workspace:{prefix}-w0-r0")
            return role["rules"] == [EDIT] and shared is not None and shared["rules"] == [EDIT]

        await eventually(roles_are_whole)
        reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
        stray = {"metadata": {"name": f"{PREFIX}stray"}, "subjects": [], "roleRef": reference}
        await client.create(ROLEBINDINGS, stray, f"{prefix}-n1")

        async def stray_is_gone() -> bool:
            return await found(client, ROLEBINDINGS, f"{PREFIX}stray", f"{prefix}-n1") is None

        await eventually(stray_is_gone)
        versions = await _versions(client, prefix)
        await client.patch(iam.ROLEBINDINGS, "b0", {"subjects": []}, f"{prefix}-n0")

        async def it_is_gone() -> bool:
            return await found(client, ROLEBINDINGS, f"{PREFIX}b0", f"{prefix}-n0") is None

        await eventually(it_is_gone)
        await asyncio.sleep(0.2)
        now = await _versions(client, prefix)
        assert now == {key: version for key, version in versions.items() if key in now}, "nothing else was written"
        assert len(versions) - len(now) == 1
        await client.patch(iam.CLUSTERROLEBINDINGS, f"{prefix}-b0", {"metadata": {"finalizers": ["example.com/wait"]}})
        await client.delete(iam.CLUSTERROLEBINDINGS, f"{prefix}-b0")

        async def it_grants_nothing() -> bool:
            return await found(client, CLUSTERROLEBINDINGS, f"{PREFIX}{prefix}-b0") is None

        await eventually(it_grants_nothing)
        await client.patch(iam.CLUSTERROLEBINDINGS, f"{prefix}-b0", {"metadata": {"finalizers": None}})
        made["ClusterRoleBinding"] = []
        await bring_about(client, made, {"Namespace": made["Namespace"]})
        await eventually(lambda: nothing_is_left(client, prefix))


async def _versions(client: Client, prefix: str) -> dict[Any, str]:
    return {
        (kind, key_of(obj)): obj["metadata"]["resourceVersion"]
        for kind, target in TARGETS.items() for obj in (await client.list(target)).items
        if key_of(obj).name.startswith(PREFIX) and prefix in str(key_of(obj))
    }  # fmt: skip


async def test_a_new_api_group_reaches_those_who_may_do_everything(platform_crds: Any) -> None:
    prefix, group = fresh(), f"{fresh()}.example"
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    made = objects(small([everything]), prefix)
    for kind in ("GlobalRoleBinding", "ClusterRoleBinding"):
        made[kind] = []
    names = {"plural": "carts", "singular": "cart", "kind": "Cart", "listKind": "CartList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"carts.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }  # fmt: skip
    async with running(platform_crds, rbac_controllers.controllers) as client:
        await bring_about(client, {}, made)
        request = Request("POST", group, "carts", f"{prefix}-n0")
        question = Question(f"{prefix}-u0", (), request)
        await client.create(CRDS, definition)
        await eventually(lambda: question.below(client))
        closed = Question(f"{prefix}-u0", (), Request("POST", iam.GROUP, "rolebindings", f"{prefix}-n0"))
        assert not await closed.below(client)
        await client.delete(CRDS, f"carts.{group}")
        await bring_about(client, made, {"Namespace": made["Namespace"]})
        await eventually(lambda: nothing_is_left(client, prefix))
