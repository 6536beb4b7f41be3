"""Objects to policy: what is left out, and that nothing ever stops the rest."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dovetail.iam import bootstrap
from dovetail.iam.attributes import parse
from dovetail.iam.authorizer import decide
from dovetail.iam.compiler import (
    KINDS,
    PolicyCompiler,
    account_of,
    compile_objects,
    compile_policy,
    compile_with_problems,
)
from dovetail.iam.policy import Account, Identity, Policy

GONE = "2026-01-01T00:00:00Z"


def user(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-{name}", **more.pop("metadata", {})}, **more}


def role(name: str, *rules: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules)}


READ = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}


def bound(binding: str, role: str, **subject: Any) -> dict[str, Any]:
    subjects = [{"kind": "User", "name": "alice", **subject}]
    return {"metadata": {"name": binding}, "subjects": subjects, "roleRef": {"kind": "GlobalRole", "name": role}}


def test_a_user_with_a_role() -> None:
    policy = compile_policy([user("alice", spec={"groups": ["b", "a"]})], [role("r", READ)], [bound("x", "r")])
    assert policy.user_roles == {"alice": ("r",)}
    assert policy.accounts["alice"].groups == ("a", "b")
    assert policy.accounts["alice"].uid == "uid-alice"
    assert decide(policy, Identity(name="alice"), parse("GET", "/api/v1/pods/p")).allowed


def test_the_built_in_roles() -> None:
    bindings = [*bootstrap.global_role_bindings(), bootstrap.binding("a", "platform-admin", "User", "admin")]
    policy, problems = compile_with_problems([user("admin"), user("bob")], bootstrap.global_roles(), bindings)
    assert not problems
    admin, bob = Identity(name="admin"), Identity(name="bob")
    for path in ("/api/v1/secrets", "/kapis/greeter.dovetail.dev/v1alpha1/greetings", "/anything"):
        assert decide(policy, admin, parse("DELETE", path)).allowed
        assert not decide(policy, bob, parse("DELETE", path)).allowed
        assert not decide(policy, bob, parse("GET", path)).allowed
    for path in ("/api", "/apis", "/apis/apps/v1", "/kapis/x/v1", "/openapi/v3", "/version"):
        assert decide(policy, bob, parse("GET", path)).allowed
        assert not decide(policy, Identity(name="system:anonymous"), parse("GET", path)).allowed


def test_what_is_being_deleted_grants_nothing() -> None:
    leaving = {"deletionTimestamp": GONE}
    alice, reads, binding = user("alice"), role("r", READ), bound("x", "r")
    assert compile_policy([alice], [reads], [{**binding, "metadata": {"name": "x", **leaving}}]).user_roles == {}
    terminating = compile_policy([alice], [{**reads, "metadata": {"name": "r", **leaving}}], [binding])
    assert not decide(terminating, Identity(name="alice"), parse("GET", "/api/v1/pods/p")).allowed
    gone = compile_policy([user("alice", metadata=leaving)], [reads], [binding])
    assert gone.accounts == {}
    assert gone.user_roles == {}


def test_broken_references_do_not_stop_the_rest() -> None:
    bindings = [bound("a", "missing"), bound("b", "r", name="nobody"), bound("c", "r"), {"metadata": {"name": "d"}}]
    policy, problems = compile_with_problems([user("alice")], [role("r", READ)], bindings)
    assert policy.user_roles == {"alice": ("missing", "r")}
    assert decide(policy, Identity(name="alice"), parse("GET", "/api/v1/pods/p")).allowed
    assert {problem.name for problem in problems} == {"a", "b", "d"}
    assert all(problem.message for problem in problems)


def test_a_binding_left_behind_grants_nothing_to_a_user_who_is_not_there() -> None:
    assert compile_policy([], [role("r", READ)], [bound("x", "r")]).user_roles == {}


def test_groups_and_service_accounts() -> None:
    group = bound("g", "r", kind="Group", name="team")
    account = bound("s", "r", kind="ServiceAccount", name="robot", namespace="n")
    own = bound("k", "r", kind="ServiceAccount", name="robot", namespace="n", apiGroup="kubesphere.io")
    compiler = compile_objects({"GlobalRole": [role("r", READ)], "GlobalRoleBinding": [group, account, own]})
    assert set(compiler.policy().user_roles) == {"system:serviceaccount:n:robot"}, "Kubernetes' own need not be known"
    assert compiler.others({"kubesphere:serviceaccount:n:robot": Account()})
    policy = compiler.policy()
    assert policy.group_roles == {"team": ("r",)}
    assert set(policy.user_roles) == {"system:serviceaccount:n:robot", "kubesphere:serviceaccount:n:robot"}


def test_nobody_gets_into_kubernetes_own_groups() -> None:
    account = account_of(user("alice", spec={"groups": ["system:masters", "team", ""]}))
    assert account is not None
    assert account.groups == ("team",)


def test_state_and_password_change() -> None:
    stamp = {"annotations": {"iam.kubesphere.io/last-password-change-time": "2026-01-01T00:00:10Z"}}
    account = account_of(user("alice", metadata=stamp, status={"state": "Disabled", "tokensNotBefore": 5}))
    assert account is not None
    assert account.disabled
    assert account.tokens_not_before == 1767225610
    broken = user("bob", metadata={"annotations": {"iam.kubesphere.io/last-password-change-time": "yesterday"}})
    policy, problems = compile_with_problems([broken], [], [])
    assert policy.accounts == {}
    assert "yesterday" in problems[0].message


def test_a_role_with_a_broken_rule_keeps_its_others() -> None:
    policy = compile_policy([user("alice")], [role("r", "nonsense", {"verbs": "get"}, READ)], [bound("x", "r")])
    assert len(policy.roles["r"]) == 1


def test_a_role_of_thousands_of_rules_and_a_user_of_hundreds_of_roles_cost_nobody_else() -> None:
    """Whoever may write roles in a workspace could otherwise have every request of his take a second."""
    swamp = role("swamp", *[READ] * 3000)
    roles = [role(f"r{number:03}", READ) for number in range(300)]
    bindings = [bound(f"b{number}", f"r{number:03}") for number in range(300)]
    policy, problems = compile_with_problems([user("alice")], [swamp, *roles], [*bindings, bound("s", "swamp")])
    assert "swamp" not in policy.roles
    assert len(policy.user_roles["alice"]) == 100
    assert {problem.name for problem in problems} == {"swamp", "s", *(f"b{number}" for number in range(100, 300))}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["metadata", "name", "spec", "rules", "subjects", "roleRef", "kind", "verbs", "groups"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.lists(st.dictionaries(st.sampled_from(["metadata", "spec", "rules", "subjects", "roleRef"]), ANYTHING))


@given(OBJECTS, OBJECTS, OBJECTS)
def test_any_objects_give_a_policy(users: Any, roles: Any, bindings: Any) -> None:
    policy = compile_policy([*users, user("alice")], [*roles, role("r", READ)], [*bindings, bound("x", "r")])
    assert isinstance(policy, Policy)
    assert decide(policy, Identity(name="alice"), parse("GET", "/api/v1/pods/p")).allowed


@given(st.lists(st.tuples(st.sampled_from(KINDS), OBJECTS), max_size=4))
def test_any_objects_of_any_kind_take_nothing_away(found: Any) -> None:
    compiler = PolicyCompiler()
    for kind, obj in (("User", user("alice")), ("GlobalRole", role("r", READ)), ("GlobalRoleBinding", bound("x", "r"))):
        compiler.put(kind, obj)
    for kind, objects in found:
        for obj in objects:
            compiler.put(kind, obj)
    assert decide(compiler.policy(), Identity(name="alice"), parse("GET", "/api/v1/pods/p")).allowed
    for kind, objects in found:
        for obj in objects:
            compiler.remove(kind, obj)
    assert isinstance(compiler.problems(), tuple)
