"""Decisions in four scopes: against the slow reference, the holes of 8.3 one by one, and what a change costs."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.gateway.delta import applied, delta_between, encode_delta
from dovetail.gateway.snapshot import Snapshot
from dovetail.iam.attributes import parse
from dovetail.iam.authorizer import Authorizer, decide
from dovetail.iam.compiler import PolicyCompiler, compile_objects
from dovetail.iam.policy import Identity, Policy
from tests.iam import reference_authorizer as reference
from tests.iam.reference_authorizer import World

WORKSPACE = "kubesphere.io/workspace"
GONE = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
ALL = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
VIEW = {"verbs": ["get", "list", "watch"], "apiGroups": ["*"], "resources": ["*"]}


def meta(name: str, *, workspace: str = "", namespace: str = "", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, **more}
    return (
        made
        | ({"labels": {WORKSPACE: workspace}} if workspace else {})
        | ({"namespace": namespace} if namespace else {})
    )


def user(name: str, *groups: str, uid: str = "1") -> dict[str, Any]:
    return {"metadata": meta(name, uid=uid), "spec": {"groups": list(groups)}}


def role(name: str, *rules: Any, **place: Any) -> dict[str, Any]:
    return {"metadata": meta(name, **place), "rules": list(rules)}


def bound(name: str, role: str, *subjects: tuple[str, str], **place: Any) -> dict[str, Any]:
    made = [{"kind": kind, "name": subject} for kind, subject in subjects]
    return {"metadata": meta(name, **place), "subjects": made, "roleRef": {"name": role}}


def who(policy: Policy, name: str) -> Identity:
    """The identity as a token of this user resolves to it."""
    account = policy.accounts.get(name)
    return Identity(name=name, uid=account.uid if account else "", groups=account.groups if account else ())


def may(policy: Policy, name: str, method: str, target: str) -> bool:
    path, _, query = target.partition("?")
    return decide(policy, who(policy, name), parse(method, path, query)).allowed


USERS = ("ann", "bob", "system:anonymous")
PLACES = {
    "GlobalRole": [{}], "ClusterRole": [{}], "WorkspaceRole": [{"workspace": "w1"}, {"workspace": "w2"}],
    "Role": [{"namespace": "n1"}, {"namespace": "n2"}],
}  # fmt: skip
VERBS = st.lists(st.sampled_from(["get", "list", "create", "*", "GET"]), min_size=1, max_size=2)
GROUPS = st.lists(
    st.sampled_from(["", "*", "g.io", "iam.kubesphere.io", "tenant.kubesphere.io"]), min_size=1, max_size=2
)
RESOURCES = st.lists(
    st.sampled_from(["pods", "*", "pods/exec", "*/log", "users", "clusterrolebindings", "workspaces", "things"]),
    min_size=1, max_size=2,
)  # fmt: skip
RULES = st.fixed_dictionaries(
    {"verbs": VERBS, "apiGroups": GROUPS, "resources": RESOURCES},
    optional={
        "resourceNames": st.lists(st.sampled_from(["p", "ann"]), max_size=1),
        "nonResourceURLs": st.lists(st.sampled_from(["*", "/version", "/a/*"]), max_size=1),
    },
)
TERMINATING = st.sampled_from([{}, {}, {}, GONE])
SUBJECTS = st.tuples(st.just("User"), st.sampled_from(["ann", "bob", "ghost"])) | st.tuples(
    st.just("Group"), st.sampled_from(["team", "squad", "system:authenticated", "system:unauthenticated"])
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    made: dict[str, list[dict[str, Any]]] = {"User": [], "Group": [], "GroupBinding": [], "Namespace": []}
    for name in draw(st.sets(st.sampled_from(["ann", "bob"]))):
        one = user(name, *draw(st.lists(st.sampled_from(["team", "system:masters"]), max_size=1)))
        one["status"] = {"state": draw(st.sampled_from(["Active", "Active", "Disabled"]))}
        made["User"].append({**one, "metadata": one["metadata"] | draw(TERMINATING)})
    for name in draw(st.sets(st.sampled_from(["squad"]))):
        made["Group"].append({"metadata": meta(name, **draw(TERMINATING))})
    for number in range(draw(st.integers(0, 2))):
        users = draw(st.lists(st.sampled_from(["ann", "bob", "ghost"]), max_size=2))
        one = {"metadata": meta(f"g{number}", **draw(TERMINATING)), "groupRef": {"name": "squad"}, "users": users}
        made["GroupBinding"].append(one)
    for name in ("n1", "n2"):
        made["Namespace"].append({"metadata": meta(name, workspace=draw(st.sampled_from(["", "w1", "w2"])))})
    for kind, places in PLACES.items():
        made[kind], made[kind + "Binding"] = [], []
        for number, place in enumerate(places):
            for name in draw(st.sets(st.sampled_from(["r", "s"]))):
                named = name if kind == "Role" else f"{name}{number}"
                rules = draw(st.lists(RULES, max_size=2))
                made[kind].append(role(named, *rules, **place, **draw(TERMINATING)))
            for n in range(draw(st.integers(0, 2))):
                named = draw(st.sampled_from(["r", "s"])) + ("" if kind == "Role" else str(draw(st.integers(0, 1))))
                subjects = draw(st.lists(SUBJECTS, max_size=2))
                one = bound(f"b{number}{n}", named, *subjects, **place, **draw(TERMINATING))
                made[kind + "Binding"].append(one)
    return World(made)


TARGETS = st.sampled_from(
    [
        "/api/v1/pods", "/api/v1/namespaces/n1/pods/p", "/api/v1/namespaces/n1/pods/p/exec",
        "/api/v1/namespaces/n2/pods/p/log", "/apis/g.io/v1/things", "/kapis/g.io/v1/workspaces/w1/things",
        "/kapis/g.io/v1/workspaces/w2/things/p", "/kapis/g.io/v1/workspaces/w2/namespaces/n1/things",
        "/kapis/iam.kubesphere.io/v1beta1/users/ann", "/kapis/iam.kubesphere.io/v1beta1/workspaces/w1/users",
        "/apis/iam.kubesphere.io/v1beta1/users/ann", "/apis/iam.kubesphere.io/v1beta1/namespaces/n1/roles",
        "/kapis/iam.kubesphere.io/v1beta1/namespaces/n1/clusterrolebindings",
        "/kapis/iam.kubesphere.io/v1beta1/workspaces/w1/globalrolebindings",
        "/kapis/iam.kubesphere.io/v1beta1/workspaces/w1/workspacerolebindings",
        "/kapis/tenant.kubesphere.io/v1beta1/workspaces", "/kapis/tenant.kubesphere.io/v1beta1/workspaces/w1",
        "/kapis/tenant.kubesphere.io/v1beta1/workspaces/w1/namespaces", "/version", "/a/b", "/api/v1/../x",
        "/api/v1/pods?watch=1&labelSelector=kubesphere.io/workspace=w1", "/clusters/m/api/v1/namespaces/n1/pods",
        "/api/v1/namespaces/other/pods", "/kapis/iam.kubesphere.io/v1beta1/users/ann/password",
    ]
)  # fmt: skip
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"])
QUESTIONS = st.lists(st.tuples(st.sampled_from(USERS), METHODS, TARGETS), min_size=1, max_size=8)


def told(world: World) -> PolicyCompiler:
    return compile_objects(world.objects)


@settings(max_examples=120, deadline=None)
@given(worlds(), QUESTIONS)
def test_every_decision_is_the_reference_s(world: World, questions: list[tuple[str, str, str]]) -> None:
    policy = told(world).policy()
    authorizer = Authorizer(policy)
    for name, method, target in questions:
        path, _, query = target.partition("?")
        asked = parse(method, path, query)
        expected = reference.allowed(world, name, asked)
        assert authorizer.decide(who(policy, name), asked).allowed is expected, (name, method, target)


@settings(max_examples=40, deadline=None)
@given(worlds(), worlds(), st.randoms(use_true_random=False))
def test_from_world_to_world_object_by_object_is_the_same_as_afresh(before: World, after: World, order: Any) -> None:
    compiler = told(before)
    first = compiler.policy()
    steps = [(kind, obj, False) for kind, found in before.objects.items() for obj in found]
    order.shuffle(steps)
    later = [(kind, obj, True) for kind, found in after.objects.items() for obj in found]
    order.shuffle(later)
    kept = {(kind, str(obj["metadata"])) for kind, obj, _ in later}
    for kind, obj, present in [*steps, *later]:
        if present:
            compiler.put(kind, obj)
        elif (kind, str(obj["metadata"])) not in kept:
            compiler.remove(kind, obj)
    second, afresh = compiler.policy(), told(after).policy()
    assert second == afresh
    assert set(compiler.problems()) == set(told(after).problems())
    delta = delta_between(Snapshot(generation=1, policy=first), Snapshot(generation=2, policy=second))
    assert applied(Snapshot(generation=1, policy=first), delta).policy == second


def tenants() -> dict[str, list[dict[str, Any]]]:
    """Two workspaces with a project each, and one user for each kind of right."""
    people = ["admin", "wadmin", "nadmin", "cviewer", "gviewer", "nobody"]
    return {
        "User": [user(name) for name in people],
        "Namespace": [{"metadata": meta("n1", workspace="w1")}, {"metadata": meta("n2", workspace="w2")}],
        "GlobalRole": [role("platform-admin", ALL, {"verbs": ["*"], "nonResourceURLs": ["*"]}), role("viewer", VIEW)],
        "GlobalRoleBinding": [
            bound("a", "platform-admin", ("User", "admin")),
            bound("v", "viewer", ("User", "gviewer")),
        ],
        "WorkspaceRole": [role("w1-admin", ALL, workspace="w1"), role("w2-admin", ALL, workspace="w2")],
        "WorkspaceRoleBinding": [bound("w", "w1-admin", ("User", "wadmin"), workspace="w1")],
        "Role": [role("admin", ALL, namespace="n1"), role("admin", ALL, namespace="n2")],
        "RoleBinding": [bound("n", "admin", ("User", "nadmin"), namespace="n1")],
        "ClusterRole": [role("viewer", VIEW)],
        "ClusterRoleBinding": [bound("c", "viewer", ("User", "cviewer"))],
    }


IAM, TENANT = "/kapis/iam.kubesphere.io/v1beta1", "/kapis/tenant.kubesphere.io/v1beta1"


@pytest.mark.parametrize(
    ("name", "method", "target", "expected"),
    [
        # What each is there for.
        ("nadmin", "DELETE", "/api/v1/namespaces/n1/pods/p", True),
        ("wadmin", "POST", "/apis/apps/v1/namespaces/n1/deployments", True),
        ("wadmin", "POST", f"{IAM}/workspaces/w1/workspacerolebindings", True),
        ("cviewer", "GET", "/api/v1/nodes", True), ("cviewer", "GET", "/api/v1/namespaces/n2/pods", True),
        ("gviewer", "GET", f"{IAM}/users", True), ("admin", "DELETE", "/api/v1/nodes/x", True),
        # 8.3: a namespace's admin and objects that are not of a namespace.
        ("nadmin", "POST", f"{IAM}/namespaces/n1/clusterrolebindings", False),
        ("nadmin", "POST", f"{IAM}/namespaces/n1/workspacerolebindings", False),
        ("nadmin", "POST", f"{IAM}/namespaces/n1/globalrolebindings", False),
        ("nadmin", "POST", "/kapis/extensions.kubesphere.io/v1alpha1/namespaces/n1/reverseproxies", False),
        ("nadmin", "DELETE", f"{TENANT}/namespaces/n1/workspacetemplates", False),
        ("nadmin", "POST", f"{IAM}/namespaces/n1/rolebindings", True),
        # 8.3: a workspace's admin and objects of the platform.
        ("wadmin", "POST", f"{IAM}/workspaces/w1/globalrolebindings", False),
        ("wadmin", "GET", f"{IAM}/workspaces/w1/users", False),
        ("wadmin", "POST", f"{IAM}/workspaces/w1/clusterrolebindings", False),
        ("wadmin", "PUT", "/kapis/cluster.kubesphere.io/v1alpha1/workspaces/w1/clusters/host", False),
        ("wadmin", "POST", "/kapis/kubesphere.io/v1alpha1/workspaces/w1/installplans", False),
        # Another workspace, by its URL, by a project of it, by a selector.
        ("wadmin", "GET", f"{IAM}/workspaces/w2/workspaceroles", False),
        ("wadmin", "GET", "/kapis/g.io/v1/workspaces/w1/namespaces/n2/things", False),
        ("wadmin", "GET", "/api/v1/namespaces/n2/pods", False),
        ("wadmin", "GET", "/api/v1/pods?watch=true&labelSelector=kubesphere.io/workspace=w2", False),
        ("wadmin", "GET", "/api/v1/pods?watch=true&labelSelector=!kubesphere.io/workspace", False),
        ("wadmin", "GET", "/api/v1/pods?labelSelector=kubesphere.io/workspace=w1", False),
        ("wadmin", "GET", "/api/v1/pods?watch=true&labelSelector=kubesphere.io/workspace=w1", True),
        # The stored objects, which have password hashes and know no escalation.
        ("nadmin", "POST", "/apis/iam.kubesphere.io/v1beta1/namespaces/n1/rolebindings", False),
        ("wadmin", "PUT", "/apis/tenant.kubesphere.io/v1beta1/workspaces/w1", False),
        ("cviewer", "GET", "/apis/iam.kubesphere.io/v1beta1/clusterroles", False),
        ("nobody", "PUT", "/apis/iam.kubesphere.io/v1beta1/users/nobody", False),
        ("admin", "GET", "/apis/iam.kubesphere.io/v1beta1/users", True),
        # Viewers and shells, whatever the method or the API in front.
        *((viewer, "GET", f"{prefix}/namespaces/n1/pods/p/{tunnel}", False)
          for viewer in ("cviewer", "gviewer") for prefix in ("/api/v1", "/kapis/terminal.kubesphere.io/v1alpha2")
          for tunnel in ("exec", "attach", "portforward", "proxy")),
        ("cviewer", "GET", "/api/v1/namespaces/n1/services/s/proxy/x", False),
        ("cviewer", "GET", "/api/v1/proxy/namespaces/n1/pods/p", False),
        # Header and path tricks end in an ambiguous path, which nobody may use.
        ("admin", "GET", "/api/v1/namespaces/n1/../n2/pods", False),
        ("admin", "GET", "/api/v1/namespaces/n1%2fpods", False),
        # Everybody: the own account, and lists that are answered per caller.
        ("nobody", "GET", f"{IAM}/users/nobody", True), ("nobody", "GET", f"{IAM}/users/admin", False),
        ("nobody", "DELETE", f"{IAM}/users/nobody", False), ("nobody", "GET", f"{TENANT}/workspaces", True),
        ("nobody", "GET", f"{TENANT}/workspaces/w1", False),
        ("nobody", "GET", f"{TENANT}/workspaces/w1/namespaces", True),
        ("nobody", "GET", f"{TENANT}/workspaces?watch=1", False),
        ("system:anonymous", "GET", f"{TENANT}/workspaces", False),
        ("nobody", "GET", f"{TENANT}/workspaces/w1/workspacemembers/nobody/namespaces", True),
        ("nobody", "GET", f"{TENANT}/workspaces/w1/workspacemembers/admin/namespaces", False),
        ("nobody", "GET", "/api/v1/namespaces", False), ("nobody", "GET", "/api", False),
    ],
)  # fmt: skip
def test_the_holes_of_the_original(name: str, method: str, target: str, expected: bool) -> None:
    assert may(compile_objects(tenants()).policy(), name, method, target) is expected


def test_a_binding_reaches_no_role_of_another_place() -> None:
    objects = tenants()
    objects["WorkspaceRoleBinding"].append(bound("x", "w2-admin", ("User", "nobody"), workspace="w1"))
    objects["RoleBinding"].append(bound("x", "w2-admin", ("User", "nobody"), namespace="n2"))
    objects["ClusterRoleBinding"].append(bound("x", "admin", ("User", "nobody")))
    objects["GlobalRoleBinding"].append(bound("x", "w2-admin", ("User", "nobody")))
    compiler = compile_objects(objects)
    for target in ("/api/v1/namespaces/n2/pods", f"{IAM}/workspaces/w2/workspaceroles", "/api/v1/nodes"):
        assert not may(compiler.policy(), "nobody", "GET", target)
    assert len(compiler.problems()) == 4, "each is told"


def test_a_binding_counts_by_its_subjects_and_a_user_who_comes_back_starts_with_nothing() -> None:
    """8.3, hidden grants: labels say who is bound, subjects decide it. While there is no user, nothing is held."""
    hidden = bound("hidden", "w1-admin", ("User", "nobody"), workspace="w1")
    hidden["metadata"]["labels"]["iam.kubesphere.io/user-ref"] = "somebody-else"
    objects = tenants()
    objects["WorkspaceRoleBinding"].append(hidden)
    compiler, target = compile_objects(objects), f"{IAM}/workspaces/w1/workspaceroles"
    assert may(compiler.policy(), "nobody", "GET", target)
    compiler.put("User", {"metadata": meta("nobody", uid="1", **GONE)})
    assert not may(compiler.policy(), "nobody", "GET", target), "a user that is being deleted"
    compiler.remove("User", user("nobody"))
    assert "nobody" not in compiler.policy().user_bindings
    compiler.put("WorkspaceRoleBinding", {**hidden, "subjects": []})  # what iam/deleted_users.py does meanwhile
    compiler.put("User", user("nobody", uid="2"))
    assert not may(compiler.policy(), "nobody", "GET", target)


def test_a_namespace_that_moves_takes_nobody_along() -> None:
    compiler = compile_objects(tenants())
    assert may(compiler.policy(), "wadmin", "GET", "/api/v1/namespaces/n1/pods")
    compiler.put("Namespace", {"metadata": meta("n1", workspace="w2")})
    assert not may(compiler.policy(), "wadmin", "GET", "/api/v1/namespaces/n1/pods")
    compiler.put("Namespace", {"metadata": meta("n1")})
    assert not may(compiler.policy(), "wadmin", "GET", "/api/v1/namespaces/n1/pods")


def test_one_binding_among_thousands_is_a_small_delta() -> None:
    compiler = PolicyCompiler()
    for number in range(3000):
        compiler.put("User", user(f"u{number}"))
        compiler.put("WorkspaceRole", role(f"w{number}-admin", ALL, workspace=f"w{number}"))
        one = bound(f"b{number}", f"w{number}-admin", ("User", f"u{number}"), workspace=f"w{number}")
        compiler.put("WorkspaceRoleBinding", one)
    before = Snapshot(generation=1, policy=compiler.policy())
    assert len(before.policy.rule_sets) == 1, "what all have is there once"
    assert compiler.policy() is before.policy
    extra = bound("extra", "w7-admin", ("User", "u5"), workspace="w7")
    assert compiler.put("WorkspaceRoleBinding", extra)
    assert not compiler.put(
        "WorkspaceRoleBinding", {**extra, "metadata": {**extra["metadata"], "resourceVersion": "9"}}
    )
    after = Snapshot(generation=2, policy=compiler.policy())
    delta = delta_between(before, after)
    assert len(encode_delta(delta)) < 1000
    result = applied(before, delta).policy
    assert result == after.policy
    assert result.user_bindings["u5"].workspaces == {"w5": ("w5-admin",), "w7": ("w7-admin",)}
    assert result.accounts is before.policy.accounts
    assert result.user_bindings["u6"] is before.policy.user_bindings["u6"]


def test_roles_are_compiled_anew_only_when_they_change() -> None:
    compiler = compile_objects(tenants())
    first = Authorizer(compiler.policy())
    assert first.check(who(first.policy, "wadmin"), "GET", "/api/v1/namespaces/n1/pods").allowed
    compiler.put("WorkspaceRole", role("w1-admin", VIEW, workspace="w1"))
    second = Authorizer(compiler.policy(), first)
    identity = who(second.policy, "wadmin")
    assert second.check(identity, "GET", "/api/v1/namespaces/n1/pods").allowed
    assert not second.check(identity, "DELETE", "/api/v1/namespaces/n1/pods").allowed
    compiler.remove("WorkspaceRole", role("w1-admin", workspace="w1"))
    third = Authorizer(compiler.policy(), second)
    assert not third.check(identity, "GET", "/api/v1/namespaces/n1/pods").allowed


def test_a_password_that_has_to_be_changed_comes_first() -> None:
    objects = tenants()
    admin = {
        **user("admin"),
        "metadata": meta("admin", uid="1", annotations={"iam.kubesphere.io/uninitialized": "true"}),
    }
    policy = compile_objects({**objects, "User": [admin]}).policy()
    decision = decide(policy, who(policy, "admin"), parse("GET", "/api/v1/nodes"))
    assert (decision.allowed, "password" in decision.reason) == (False, True)
    assert may(policy, "admin", "PUT", f"{IAM}/users/admin/password")
