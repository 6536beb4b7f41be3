"""Members: read from subjects, and changed without a moment of having nothing, wherever it breaks off."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.iam_v1beta1 import CLUSTERROLEBINDINGS, ROLEBINDINGS, WORKSPACEROLEBINDINGS
from dovetail.apis.labels import ROLE_REF, USER_REF, WORKSPACE
from dovetail.iam.tenancy.actions import Create
from dovetail.iam.tenancy.membership import Community, assigned, binding_of, members_of, removed
from tests.iam.simulated_cluster import Cluster, names

PLACES = (Community("workspace", "w"), Community("namespace", "n"), Community("cluster"))
USERS, ROLES = ("a", "a-b", "c"), ("b-c", "c", "viewer")

subjects = st.lists(
    st.builds(
        lambda kind, name: {"kind": kind, "name": name}, st.sampled_from(("User", "Group")), st.sampled_from(USERS)
    ),
    max_size=3,
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Community, Cluster]:
    """A place with bindings as the API, kubectl and bad luck leave them."""
    place, cluster = draw(st.sampled_from(PLACES)), Cluster()
    for number in range(draw(st.integers(0, 5))):
        user, role = draw(st.sampled_from(USERS)), draw(st.sampled_from(ROLES))
        bound = binding_of(place, user, role, draw(st.sampled_from(("", f"by-hand-{number}"))))
        if draw(st.booleans()):
            bound["subjects"] = draw(subjects)
        if draw(st.booleans()):
            bound["metadata"] |= {"deletionTimestamp": "2026-11-21T00:00:00Z", "finalizers": ["somebody/else"]}
        cluster.create(place.bindings, bound)
    return place, cluster


def bindings(place: Community, cluster: Cluster) -> list[dict[str, Any]]:
    return cluster.list(place.bindings)


@given(worlds(), st.sampled_from(USERS), st.sampled_from(ROLES))
def test_a_user_ends_with_the_one_role_and_others_keep_theirs(
    world: tuple[Community, Cluster], user: str, role: str
) -> None:
    place, cluster = world
    before = members_of(bindings(place, cluster))
    cluster.carry_out(assigned(place, user, role, bindings(place, cluster)))
    after = members_of(bindings(place, cluster))
    assert after.pop(user) == (role,)
    before.pop(user, None)
    assert after == before
    assert assigned(place, user, role, bindings(place, cluster)) == []


@given(worlds(), st.sampled_from(USERS), st.sampled_from(ROLES), st.integers(0, 6))
def test_breaking_off_anywhere_never_takes_the_access_away(
    world: tuple[Community, Cluster], user: str, role: str, steps: int
) -> None:
    place, cluster = world
    had = user in members_of(bindings(place, cluster))
    cluster.carry_out(assigned(place, user, role, bindings(place, cluster)), steps)
    assert user in members_of(bindings(place, cluster)) or not had
    cluster.carry_out(assigned(place, user, role, bindings(place, cluster)))
    assert members_of(bindings(place, cluster))[user] == (role,)


@given(worlds(), st.sampled_from(USERS))
def test_who_is_removed_is_gone_and_nobody_else(world: tuple[Community, Cluster], user: str) -> None:
    place, cluster = world
    before = members_of(bindings(place, cluster))
    cluster.carry_out(removed(place, user, bindings(place, cluster)))
    before.pop(user, None)
    assert members_of(bindings(place, cluster)) == before


def test_no_two_pairs_share_a_name() -> None:
    place = Community("cluster")
    made = [binding_of(place, user, role)["metadata"]["name"] for user in USERS for role in ROLES]
    assert len(set(made)) == len(made)


def test_a_binding_on_its_way_out_does_not_count() -> None:
    place, cluster = Community("workspace", "w"), Cluster()
    leaving = binding_of(place, "a", "viewer")
    leaving["metadata"] |= {"deletionTimestamp": "2026-11-21T00:00:00Z", "finalizers": ["x"]}
    cluster.create(place.bindings, leaving)
    assert members_of(bindings(place, cluster)) == {}
    cluster.carry_out(assigned(place, "a", "viewer", bindings(place, cluster)))
    assert members_of(bindings(place, cluster)) == {"a": ("viewer",)}
    assert len(names(bindings(place, cluster))) == 2


def test_a_hidden_grant_is_shown() -> None:
    bound = binding_of(Community("workspace", "w"), "a", "viewer")
    bound["metadata"]["labels"] = {WORKSPACE: "w", USER_REF: "somebody-else"}
    assert members_of([bound]) == {"a": ("viewer",)}


def test_what_a_binding_looks_like() -> None:
    of_workspace = binding_of(Community("workspace", "w"), "ann", "w-admin", owner={"uid": "1"})
    assert of_workspace["kind"] == WORKSPACEROLEBINDINGS.kind
    assert of_workspace["roleRef"] == {"apiGroup": "iam.kubesphere.io", "kind": "WorkspaceRole", "name": "w-admin"}
    assert of_workspace["metadata"]["ownerReferences"] == [{"uid": "1"}]
    wanted = {WORKSPACE: "w", USER_REF: "ann", ROLE_REF: "w-admin"}
    assert wanted.items() <= of_workspace["metadata"]["labels"].items()
    of_project = binding_of(Community("namespace", "n"), "ann", "x" * 64)
    assert (of_project["kind"], of_project["metadata"]["namespace"]) == (ROLEBINDINGS.kind, "n")
    assert ROLE_REF not in of_project["metadata"]["labels"], "a label has 63 characters at most"
    assert binding_of(Community("cluster"), "ann", "cluster-viewer")["kind"] == CLUSTERROLEBINDINGS.kind


def test_names_of_a_workspaces_bindings_cannot_be_taken_beforehand() -> None:
    place = Community("workspace", "w")
    (one,) = assigned(place, "ann", "w-admin", [], {"uid": "5e1f00d1-aaaa"})
    (other,) = assigned(place, "ann", "w-admin", [], {"uid": "0ddba111-bbbb"})
    assert isinstance(one, Create)
    assert isinstance(other, Create)
    made = [action.object["metadata"]["name"] for action in (one, other)]
    assert made[0] != made[1]
    assert made[0].endswith("-5e1f00d1")
