"""Roles in Kubernetes' words: the same answer as `decide` for every request, rule and scope."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.apis.crds import crds
from dovetail.embedded.apiserver.registry.catalogue import Catalogue
from dovetail.iam import rbac_rules
from dovetail.iam.attributes import parse
from dovetail.iam.authorizer import decide
from dovetail.iam.policy import CLUSTER, PLATFORM, Held, Identity, Place, Policy, RoleScope, Rule
from dovetail.iam.rbac_rules import KUBERNETES_GROUPS, World, is_wide, kubernetes_rules, world_of
from dovetail.iam.reading import read_rules
from tests.iam.kubernetes_requests import GROUPS, RULES, Request, allows, requests

WORLD = world_of(
    [*(crd["metadata"]["name"] for crd in crds()), "carts.shop.example", "clusters.cluster.kubesphere.io"],
    ["v1.apps", "v1beta1.metrics.k8s.io", "v1."],
)
ALICE = Identity(name="alice")
PLACES: dict[RoleScope, Place] = {
    "global": PLATFORM, "cluster": CLUSTER, "workspace": Place("workspace", "w"), "namespace": Place("namespace", "n"),
}  # fmt: skip


def policy(scope: RoleScope, rules: tuple[Rule, ...]) -> Policy:
    """Alice holds one role with these rules; n is a project of w, m is one of another."""
    place = PLACES[scope]
    if scope == "global":
        return Policy(roles={"r": rules}, user_roles={"alice": ("r",)})
    held = {
        "cluster": Held(cluster=("r",)), "workspace": Held(workspaces={"w": ("r",)}),
        "namespace": Held(namespaces={"n": ("r",)}),
    }[scope]  # fmt: skip
    return Policy(
        scoped_roles={place.key("r"): "set"}, rule_sets={"set": rules}, user_bindings={"alice": held},
        namespaces={"n": "w", "m": "v"},
    )  # fmt: skip


def in_reach(scope: RoleScope, request: Request) -> bool:
    """Whether the bindings for a role of this scope reach the request: the controllers' part (test_rbac_mirrors)."""
    return scope in {"global", "cluster"} or request.namespace == "n"


@settings(max_examples=600)
@given(st.sampled_from(sorted(PLACES)), st.lists(RULES, max_size=4), requests(["n", "m"]))
def test_kubernetes_decides_the_same(scope: RoleScope, rules: list[dict[str, Any]], request: Request) -> None:
    read = read_rules(rules)
    attributes = parse(request.method, request.path, request.query)
    assert not attributes.ambiguous
    above = decide(policy(scope, read), ALICE, attributes).allowed
    below = in_reach(scope, request) and allows([*kubernetes_rules(read, scope, WORLD)], request)
    assert above == below


PATHS = ["/version", "/healthz", "/healthz/etcd", "/apis", "/apis/apps", "/openapi/v2", "/api/v1", "/metrics"]


@given(
    st.sampled_from(sorted(PLACES)),
    st.lists(st.sampled_from(["get", "GET", "post", "*", "head"]), max_size=2),
    st.lists(st.sampled_from([*PATHS, "*", "/api*", "/healthz/*", "/openapi/*"]), max_size=3),
    st.sampled_from(["GET", "HEAD", "POST", "DELETE"]),
    st.sampled_from(PATHS),
)
def test_and_about_paths(scope: RoleScope, verbs: list[str], urls: list[str], method: str, path: str) -> None:
    read = read_rules([{"verbs": verbs, "nonResourceURLs": urls}])
    made = kubernetes_rules(read, scope, WORLD)
    below = any(
        {"*", method.lower()} & {*rule["verbs"]}
        and any(path == url or (url.endswith("*") and path.startswith(url[:-1])) for url in rule["nonResourceURLs"])
        for rule in made
    )
    assert decide(policy(scope, read), ALICE, parse(method, path)).allowed == below


@given(st.sampled_from(sorted(PLACES)), st.lists(RULES, max_size=3))
def test_what_is_made_is_valid_and_cannot_raise_rights(scope: RoleScope, rules: list[dict[str, Any]]) -> None:
    for rule in kubernetes_rules(read_rules(rules), scope, WORLD):
        assert rule["verbs"]
        assert not {"*", "impersonate", "escalate", "bind"} & {*rule["verbs"]}
        assert rule["apiGroups"]
        assert rule["resources"]


@given(st.sampled_from(sorted(PLACES)), st.lists(RULES, max_size=3))
def test_only_wide_roles_depend_on_the_world(scope: RoleScope, rules: list[dict[str, Any]]) -> None:
    read = read_rules(rules)
    if not is_wide(read, scope):
        assert kubernetes_rules(read, scope, WORLD) == kubernetes_rules(read, scope, World())


def test_the_world_knows_every_group() -> None:
    assert {*GROUPS} - {"cluster.kubesphere.io"} <= WORLD.groups
    assert ("cluster.kubesphere.io", "clusters") in WORLD.mixed
    assert world_of([], []) == World()


def test_the_groups_and_resources_of_kubernetes_are_known() -> None:
    served = Catalogue().resources()
    assert {resource.group for resource in served} <= KUBERNETES_GROUPS
    core = vars(rbac_rules)["_CORE"]
    assert {resource.plural for resource in served if not resource.group} <= {*core}


@pytest.mark.parametrize("scope", sorted(PLACES))
def test_a_viewer_of_everything_enters_no_pod(scope: RoleScope) -> None:
    rules = (Rule(verbs=("get", "list", "watch"), api_groups=("*",), resources=("*",)),)
    made = [*kubernetes_rules(rules, scope, WORLD)]
    assert allows(made, Request("GET", "", "pods", "n", "a"))
    assert allows(made, Request("GET", "shop.example", "carts", "n", "a"))
    for resource, sub in (("pods", "exec"), ("pods", "attach"), ("services", "proxy"), ("nodes", "proxy")):
        assert not allows(made, Request("GET", "", resource, "n", "a", sub))
