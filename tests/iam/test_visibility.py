"""What a caller sees in a list is what he may read one by one; who may grant what, place by place."""

from typing import Any

import pytest
from hypothesis import given, settings

from dovetail.iam.attributes import of_resource
from dovetail.iam.authorizer import allowed_by_role, decide
from dovetail.iam.compiler import compile_objects
from dovetail.iam.escalation import EVERY_PATH, EVERY_RESOURCE, may_bind, missing, missing_for_role, missing_of
from dovetail.iam.policy import CLUSTER, PLATFORM, Identity, Place, Policy, Rule
from dovetail.iam.visibility import Everything, Only, memberships, visible
from tests.iam.reference_authorizer import World
from tests.iam.rego_modules import VIEW_WORKSPACES
from tests.iam.test_scopes import bound, meta, role, tenants, user, who, worlds

W1, N1 = Place("workspace", "w1"), Place("namespace", "n1")
KINDS = [("", "pods"), ("g.io", "things"), ("tenant.kubesphere.io", "workspaces"), ("iam.kubesphere.io", "users")]


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_a_list_shows_what_may_be_listed_place_by_place(world: World) -> None:
    policy = compile_objects(world.objects).policy()
    for name in ("ann", "bob"):
        for group, resource in KINDS:
            seen = visible(policy, who(policy, name), "list", group, resource, workspaces=("w1", "w2"))
            for workspace in ("w1", "w2"):
                asked = of_resource("list", group, resource, workspace=workspace)
                assert seen.holds(workspace=workspace) is allowed_by_role(policy, who(policy, name), asked) or (
                    isinstance(seen, Everything)
                )
            for namespace in ("n1", "n2"):
                asked = of_resource("list", group, resource, namespace=namespace)
                may = allowed_by_role(policy, who(policy, name), asked)
                belongs = policy.namespaces.get(namespace, "")
                assert not seen.holds(namespace=namespace) or may, "nothing that may not be listed"
                if may and not isinstance(seen, Everything) and asked.scope == "Namespace":
                    assert seen.holds(namespace=namespace), (namespace, belongs)


def compiled(**more: list[dict[str, Any]]) -> Policy:
    objects = tenants()
    for kind, found in more.items():
        objects[kind] = [*objects.get(kind, []), *found]
    return compile_objects(objects).policy()


def seen(policy: Policy, name: str, group: str, resource: str, **more: Any) -> Everything | Only:
    return visible(policy, who(policy, name), "list", group, resource, **more)


def test_who_sees_which_projects_and_workspaces() -> None:
    policy = compiled()
    namespaces, workspaces = ("", "namespaces"), ("tenant.kubesphere.io", "workspaces")
    assert isinstance(seen(policy, "admin", *namespaces), Everything)
    assert isinstance(seen(policy, "cviewer", *namespaces), Everything)
    assert seen(policy, "wadmin", *namespaces) == Only(workspaces=frozenset({"w1"}), namespaces=frozenset({"n1"}))
    assert seen(policy, "nadmin", *namespaces) == Only(namespaces=frozenset({"n1"}))
    assert seen(policy, "nobody", *namespaces) == Only()
    assert isinstance(seen(policy, "gviewer", *workspaces), Everything)
    assert seen(policy, "wadmin", *workspaces, workspaces=("w1", "w2")).holds(workspace="w1")
    assert not seen(policy, "wadmin", *workspaces, workspaces=("w1", "w2")).holds(workspace="w2")
    assert seen(policy, "nobody", *workspaces) == Only(), "a list that everybody may ask for is not everything"


def test_members_without_a_rule_see_where_they_are_members() -> None:
    quiet = compiled(
        WorkspaceRole=[role("w2-quiet", workspace="w2")],
        WorkspaceRoleBinding=[bound("q", "w2-quiet", ("User", "nobody"), workspace="w2")],
        RoleBinding=[bound("q", "gone", ("User", "nobody"), namespace="n1")],
    )
    assert seen(quiet, "nobody", "tenant.kubesphere.io", "workspaces") == Only()
    assert seen(quiet, "nobody", "tenant.kubesphere.io", "workspaces", members=True) == Only(
        workspaces=frozenset({"w2"})
    )
    assert memberships(quiet, who(quiet, "nobody")) == Only(workspaces=frozenset({"w2"})), (
        "a role that is not there is none"
    )


def test_rego_shows_what_it_allows() -> None:
    viewer = role("rego", annotations={"iam.kubesphere.io/rego-override": VIEW_WORKSPACES})
    policy = compiled(GlobalRole=[viewer], GlobalRoleBinding=[bound("r", "rego", ("User", "nobody"))])
    found = seen(policy, "nobody", "", "pods", workspaces=("w1", "w2", "w3"))
    assert found == Only(workspaces=frozenset({"w1", "w2", "w3"}), namespaces=frozenset({"n1", "n2"}))


READ = Rule(verbs=("get",), api_groups=("",), resources=("pods",))


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("admin", PLATFORM, True), ("admin", W1, True), ("admin", N1, True), ("admin", CLUSTER, True),
        ("wadmin", W1, True), ("wadmin", N1, True), ("wadmin", Place("workspace", "w2"), False),
        ("wadmin", Place("namespace", "n2"), False), ("wadmin", CLUSTER, False), ("wadmin", PLATFORM, False),
        ("nadmin", N1, True), ("nadmin", W1, False), ("nadmin", CLUSTER, False), ("nadmin", PLATFORM, False),
        ("cviewer", CLUSTER, True), ("cviewer", N1, True), ("cviewer", W1, True), ("cviewer", PLATFORM, False),
        ("gviewer", PLATFORM, True), ("gviewer", N1, True), ("nobody", N1, False),
    ],
)  # fmt: skip
def test_nobody_grants_at_a_place_what_he_does_not_hold_there(name: str, place: Place, expected: bool) -> None:
    policy = compiled()
    assert (missing(policy, who(policy, name), place, [READ]) == ()) is expected
    if name.endswith("viewer"):
        assert missing(policy, who(policy, name), place, [EVERY_RESOURCE])


def test_rego_and_roles_that_are_not_there_take_everything() -> None:
    rego = {"annotations": {"iam.kubesphere.io/rego-override": "package authz\nallow { true }"}}
    policy = compiled(WorkspaceRole=[role("w1-rego", workspace="w1", **rego)], GlobalRole=[role("g-rego", **rego)])
    wadmin, cviewer, admin = (who(policy, name) for name in ("wadmin", "cviewer", "admin"))
    assert may_bind(policy, wadmin, W1, "w1-rego") == (), "everything of the workspace is his"
    assert may_bind(policy, cviewer, W1, "w1-rego")
    assert may_bind(policy, wadmin, PLATFORM, "g-rego")
    assert may_bind(policy, admin, PLATFORM, "g-rego") == ()
    assert may_bind(policy, cviewer, W1, "not-there-yet")
    assert missing_for_role(policy, cviewer, CLUSTER, [], rego=True)
    assert missing_for_role(policy, cviewer, CLUSTER, []) == ()


def test_paths_mean_nothing_in_a_workspace() -> None:
    policy = compiled()
    assert missing(policy, who(policy, "wadmin"), W1, [EVERY_PATH]) == ()
    assert missing(policy, who(policy, "wadmin"), CLUSTER, [EVERY_PATH])


def test_who_acts_as_another_holds_all_that_the_other_holds() -> None:
    policy = compiled(
        User=[user("both", "team")],
        RoleBinding=[bound("b", "admin", ("User", "both"), namespace="n2")],
        WorkspaceRoleBinding=[bound("b", "w1-admin", ("Group", "team"), workspace="w1")],
    )
    other = who(policy, "both")
    assert missing_of(policy, who(policy, "admin"), other) == ()
    for name in ("wadmin", "nadmin", "cviewer", "nobody"):
        assert missing_of(policy, who(policy, name), other), name
    assert missing_of(policy, who(policy, "wadmin"), Identity(name="x", groups=("team",))) == ()
    assert missing_of(policy, who(policy, "wadmin"), who(policy, "wadmin")) == ()


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_what_may_be_granted_lets_the_new_holder_do_nothing_the_giver_could_not(world: World) -> None:
    policy = compile_objects(world.objects).policy()
    giver, taker = who(policy, "ann"), Identity(name="taker")
    for kind, place in (("WorkspaceRole", W1), ("Role", N1), ("ClusterRole", CLUSTER), ("GlobalRole", PLATFORM)):
        for found in world.of(kind):
            name = found["metadata"]["name"]
            if place.key(name).removeprefix("global/") not in {*policy.scoped_roles, *policy.roles}:
                continue
            if may_bind(policy, giver, place, name):
                continue
            extra = {"User": [user("taker")]}
            at = {"workspace": "w1"} if place is W1 else {"namespace": "n1"} if place is N1 else {}
            extra[kind + "Binding"] = [bound("new", name, ("User", "taker"), **at)]
            objects = {one: [*world.objects.get(one, []), *extra.get(one, [])] for one in {*world.objects, *extra}}
            after = compile_objects(objects).policy()
            for group, resource in KINDS:
                for verb in ("get", "create"):
                    for where in ({}, {"workspace": "w1"}, {"namespace": "n1"}, {"namespace": "n2"}):
                        asked = of_resource(verb, group, resource, name="p", **where)
                        if decide(after, taker, asked).allowed and not decide(policy, taker, asked).allowed:
                            assert decide(policy, giver, asked).allowed, (place, name, asked)


def test_a_project_without_a_workspace_has_no_workspace_s_roles() -> None:
    policy = compiled(Namespace=[{"metadata": meta("alone")}])
    assert missing(policy, who(policy, "wadmin"), Place("namespace", "alone"), [READ])
