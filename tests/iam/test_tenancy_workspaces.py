"""Workspaces and projects: whatever happened, broken off anywhere, the planners reach the right end."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.apis.iam_v1beta1 import ROLEBINDINGS, WORKSPACEROLEBINDINGS, WORKSPACEROLES
from dovetail.apis.labels import CASCADING_DELETION, DELETION_PROPAGATION, SYSTEM_WORKSPACE, WORKSPACE
from dovetail.apis.quota_v1alpha2 import RESOURCEQUOTAS
from dovetail.apis.tenant_v1beta1 import WORKSPACES, WORKSPACETEMPLATES
from dovetail.iam.tenancy.actions import Action
from dovetail.iam.tenancy.membership import Community, binding_of, members_of
from dovetail.iam.tenancy.placement import HOST_ROLE, placed
from dovetail.iam.tenancy.projects import ADMIN_TO_BE, MEMBERS_OF, is_system, plan_project
from dovetail.iam.tenancy.workspaces import (
    LEGACY_FINALIZER,
    Belonging,
    plan_template,
    plan_workspace,
    propagation_of,
)
from dovetail.kube.objects import Key, annotations_of, is_deleting, key_of, labels_of
from dovetail.kube.resources import NAMESPACES
from tests.iam.simulated_cluster import Cluster, names

NOW = datetime(2026, 11, 21, tzinfo=UTC)
BELONGINGS = (WORKSPACEROLEBINDINGS, WORKSPACEROLES, RESOURCEQUOTAS)
WORKSPACE_NAMES, PROJECTS, USERS = ("a", "b"), ("p", "q", "kube-x"), ("ann", "bob")


def template(name: str, manager: str = "", where: Any = None) -> dict[str, Any]:
    spec: dict[str, Any] = {"template": {"spec": {"manager": manager}}}
    spec |= {"placement": {"clusters": [{"name": where}]}} if where else {}
    return {"metadata": {"name": name, "finalizers": [LEGACY_FINALIZER]}, "spec": spec}


def namespace(name: str, workspace: str, admin: str = "") -> dict[str, Any]:
    marks = {ADMIN_TO_BE: admin} if admin else {}
    labels = {WORKSPACE: workspace} if workspace else {}
    return {"metadata": {"name": name, "labels": labels, "annotations": marks, "finalizers": ["kubernetes"]}}


def belongings(cluster: Cluster, workspace: str) -> list[Belonging]:
    return [Belonging(kind, obj) for kind in BELONGINGS for obj in cluster.list(kind, {WORKSPACE: workspace})]


def of_template(cluster: Cluster, name: str) -> list[Action]:
    found = cluster.get(WORKSPACETEMPLATES, name)
    if found is None:
        return []
    return plan_template(found, cluster.get(WORKSPACES, name), belongings(cluster, name), True, NOW)


def of_workspace(cluster: Cluster, name: str) -> list[Action]:
    found = cluster.get(WORKSPACES, name)
    if found is None:
        return []
    projects = cluster.list(NAMESPACES, {WORKSPACE: name})
    return plan_workspace(found, cluster.get(WORKSPACETEMPLATES, name), projects, belongings(cluster, name), NOW)


def of_project(cluster: Cluster, name: str) -> list[Action]:
    found = cluster.get(NAMESPACES, name)
    bindings = [one for one in cluster.list(ROLEBINDINGS) if key_of(one).namespace == name]
    return [] if found is None else plan_project(found, bindings)


def namespace_controller(cluster: Cluster) -> None:
    """Kubernetes' own: what is being deleted is emptied and goes."""
    for found in cluster.list(NAMESPACES):
        if is_deleting(found):
            for bound in cluster.list(ROLEBINDINGS):
                if key_of(bound).namespace == key_of(found).name:
                    cluster.delete(ROLEBINDINGS, key_of(bound))
            cluster.patch(NAMESPACES, key_of(found), {"metadata": {"finalizers": []}})


def passes(cluster: Cluster) -> list[tuple[Callable[[Cluster, str], list[Action]], str]]:
    return [
        *((of_template, name) for name in WORKSPACE_NAMES),
        *((of_workspace, name) for name in WORKSPACE_NAMES),
        *((of_project, name) for name in PROJECTS),
    ]


def settle(cluster: Cluster) -> None:
    """Every controller, again and again, until nobody wants anything."""
    for _ in range(30):
        wanted = False
        for plan, name in passes(cluster):
            actions = plan(cluster, name)
            wanted = wanted or bool(actions)
            cluster.carry_out(actions)
        namespace_controller(cluster)
        if not wanted:
            return
    raise AssertionError("the controllers never come to rest")


Event = Callable[[Cluster], Any]
some_workspace, some_user = st.sampled_from(WORKSPACE_NAMES), st.sampled_from(USERS)
some_project = st.sampled_from(PROJECTS)


def member(workspace: str, user: str) -> Event:
    bound = binding_of(Community("workspace", workspace), user, f"{workspace}-viewer")
    return lambda cluster: cluster.get(WORKSPACETEMPLATES, workspace) and cluster.create(WORKSPACEROLEBINDINGS, bound)


def invited(project: str, user: str) -> Event:
    bound = binding_of(Community("namespace", project), user, "viewer")
    return lambda cluster: cluster.get(NAMESPACES, project) and cluster.create(ROLEBINDINGS, bound)


def broken_off(which: int, steps: int) -> Event:
    def event(cluster: Cluster) -> None:
        plan, name = passes(cluster)[which % len(passes(cluster))]
        cluster.carry_out(plan(cluster, name), steps)

    return event


def annotated(workspace: str, value: str) -> Event:
    change = {"metadata": {"annotations": {DELETION_PROPAGATION: value}}}
    return lambda cluster: cluster.patch(WORKSPACETEMPLATES, Key("", workspace), change)


def labelled(project: str, workspace: str | None) -> Event:
    change = {"metadata": {"labels": {WORKSPACE: workspace}}}
    return lambda cluster: cluster.patch(NAMESPACES, Key("", project), change)


def placing(workspace: str, where: str) -> Event:
    change = {"spec": {"placement": {"clusters": [{"name": where}]}}}
    return lambda cluster: cluster.patch(WORKSPACETEMPLATES, Key("", workspace), change)


def deleting(resource: Any, name: str) -> Event:
    return lambda cluster: cluster.delete(resource, Key("", name))


events = st.one_of(
    st.builds(lambda w, u, at: lambda c: c.create(WORKSPACETEMPLATES, template(w, u, at)), some_workspace, some_user,
              st.sampled_from((None, "host", "elsewhere"))),
    st.builds(lambda p, w, u: lambda c: c.create(NAMESPACES, namespace(p, w, u)), some_project,
              st.sampled_from((*WORKSPACE_NAMES, "")), st.sampled_from((*USERS, ""))),
    st.builds(member, some_workspace, some_user),
    st.builds(invited, some_project, some_user),
    st.builds(annotated, some_workspace, st.sampled_from(("orphan", "background", "foreground", "nonsense"))),
    st.builds(labelled, some_project, st.sampled_from((*WORKSPACE_NAMES, None))),
    st.builds(placing, some_workspace, st.sampled_from(("host", "elsewhere"))),
    st.builds(deleting, st.just(WORKSPACETEMPLATES), some_workspace),
    st.builds(deleting, st.just(WORKSPACES), some_workspace),
    st.builds(deleting, st.just(NAMESPACES), some_project),
    st.builds(broken_off, st.integers(0, 9), st.integers(1, 3)),
)  # fmt: skip


@given(st.lists(events, max_size=25))
@settings(max_examples=150)
def test_whatever_happens_the_end_is_right(history: list[Event]) -> None:
    cluster = Cluster()
    for event in history:
        event(cluster)
    settle(cluster)
    for name in WORKSPACE_NAMES:
        expect_right(cluster, name)
    for found in cluster.list(NAMESPACES):
        bindings = [one for one in cluster.list(ROLEBINDINGS) if key_of(one).namespace == key_of(found).name]
        workspace = labels_of(found).get(WORKSPACE, "")
        assert annotations_of(found).get(MEMBERS_OF, "") in {workspace, ""} or not bindings
        assert ADMIN_TO_BE not in annotations_of(found) or not workspace
        if is_system(key_of(found).name):
            assert workspace


def expect_right(cluster: Cluster, name: str) -> None:
    wanted = cluster.get(WORKSPACETEMPLATES, name)
    made = cluster.get(WORKSPACES, name)
    if wanted is None:
        assert made is None
        return
    assert not is_deleting(wanted), "a deletion hangs"
    assert wanted["metadata"]["finalizers"] == [CASCADING_DELETION]
    here = placed(wanted["spec"].get("placement")).here
    assert (made is not None) == here
    placing = next(one for one in wanted["status"]["conditions"] if one["type"] == "Placed")
    assert placing["status"] == ("True" if here else "False")
    if here:
        assert made is not None
        assert not is_deleting(made)
        manager = wanted["spec"]["template"]["spec"]["manager"]
        bindings = cluster.list(WORKSPACEROLEBINDINGS, {WORKSPACE: name})
        assert members_of(bindings)[manager] == (f"{name}-admin",)


def ended(propagation: str) -> Cluster:
    """Workspace a with a member, a role, a quota, two projects and a system namespace, deleted."""
    cluster = Cluster()
    cluster.create(WORKSPACETEMPLATES, template("a", "ann"))
    for name in PROJECTS:
        cluster.create(NAMESPACES, namespace(name, "a", "bob"))
    settle(cluster)
    member("a", "bob")(cluster)
    for kind in (WORKSPACEROLES, RESOURCEQUOTAS):
        cluster.create(kind, {"metadata": {"name": "own", "labels": {WORKSPACE: "a"}}})
    if propagation:
        annotated("a", propagation)(cluster)
    cluster.delete(WORKSPACETEMPLATES, Key("", "a"))
    return cluster


def test_a_deleted_workspace_leaves_nothing_but_orphans() -> None:
    for propagation in ("", "orphan"):
        cluster = ended(propagation)
        settle(cluster)
        assert belongings(cluster, "a") == []
        assert cluster.list(WORKSPACES) == cluster.list(WORKSPACETEMPLATES) == []
        assert names(cluster.list(NAMESPACES)) == {"p", "q", "kube-x"}
        assert names(cluster.list(NAMESPACES, {WORKSPACE: "a"})) == set()
        assert cluster.list(ROLEBINDINGS) == [], "members of a project that left its workspace"


def test_a_cascade_deletes_the_projects_and_never_the_systems_namespaces() -> None:
    for propagation in ("background", "foreground", "Foreground"):
        cluster = ended(propagation)
        settle(cluster)
        assert belongings(cluster, "a") == []
        assert cluster.list(WORKSPACES) == cluster.list(WORKSPACETEMPLATES) == []
        assert names(cluster.list(NAMESPACES)) == {"kube-x"}
        assert labels_of(cluster.list(NAMESPACES)[0])[WORKSPACE] == SYSTEM_WORKSPACE


def run(cluster: Cluster, times: int = 5) -> None:
    """Our controllers alone: the namespaces that are being deleted stay."""
    for _ in range(times):
        for plan, name in passes(cluster):
            cluster.carry_out(plan(cluster, name))


def test_foreground_waits_for_the_projects_and_says_so_and_background_ends_the_waiting() -> None:
    cluster = ended("foreground")
    run(cluster)
    waiting = cluster.get(WORKSPACES, "a")
    assert waiting is not None
    assert "waits for the end of p, q" in waiting["status"]["conditions"][0]["message"]
    assert members_of(cluster.list(WORKSPACEROLEBINDINGS, {WORKSPACE: "a"})) == {}, "access ends at once"
    annotated("a", "background")(cluster)
    run(cluster)
    assert cluster.get(WORKSPACETEMPLATES, "a") is None


def test_background_does_not_wait() -> None:
    cluster = ended("background")
    run(cluster)
    assert cluster.get(WORKSPACETEMPLATES, "a") is None
    assert all(is_deleting(one) for one in cluster.list(NAMESPACES, {WORKSPACE: "a"}))


def test_members_stay_behind_when_a_project_moves() -> None:
    cluster = Cluster()
    for name, manager in (("a", "ann"), ("b", "bob")):
        cluster.create(WORKSPACETEMPLATES, template(name, manager))
    cluster.create(NAMESPACES, namespace("p", "a", "ann"))
    settle(cluster)
    assert members_of(cluster.list(ROLEBINDINGS)) == {"ann": ("admin",)}
    labelled("p", "b")(cluster)
    settle(cluster)
    assert cluster.list(ROLEBINDINGS) == []


def test_who_is_a_member_already_is_not_made_an_administrator_again() -> None:
    cluster = Cluster()
    cluster.create(NAMESPACES, namespace("p", "a", "ann"))
    invited("p", "ann")(cluster)
    cluster.carry_out(of_project(cluster, "p"))
    assert members_of(cluster.list(ROLEBINDINGS)) == {"ann": ("viewer",)}


def test_placement() -> None:
    assert placed(None).here
    assert placed({}).here
    assert placed({"clusters": [{"name": "host"}]}).clusters == ("host",)
    assert placed({"clusters": [{"name": "m1"}, {"name": "host"}]}).unknown == ("m1",)
    assert placed({"clusterSelector": {}}).here
    assert placed({"clusterSelector": {"matchLabels": {HOST_ROLE: ""}}}).here
    assert not placed({"clusterSelector": {"matchLabels": {"region": "north"}}}).here
    unreadable = placed({"clusterSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}})
    assert not unreadable.here
    assert "Near" in unreadable.problem


def test_what_a_template_says_counts_before_what_its_workspace_says() -> None:
    said = {"metadata": {"annotations": {DELETION_PROPAGATION: "background"}}}
    assert propagation_of(None, None) == "orphan"
    assert propagation_of({"metadata": {}}, said) == "background"
    assert propagation_of(said, {"metadata": {"annotations": {DELETION_PROPAGATION: "orphan"}}}) == "background"
