"""The default policy, how a start reconciles it, and that nobody gives away more than he has."""

import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.access import policy
from dovetail.embedded.apiserver.access.escalation import uncovered
from dovetail.embedded.apiserver.access.identity import User
from dovetail.embedded.apiserver.access.rules import Attributes, Policy, Rule

from .conftest import Http, Server, connected

RBAC = "rbac.authorization.k8s.io/v1"
BASE = f"/apis/{RBAC}"
READ = ["get", "list", "watch"]


def role_rules(name: str) -> list[Any]:
    return next(role["rules"] for role in policy.cluster_roles() if role["metadata"]["name"] == name)


# -- the policy as data


def test_the_policy_is_complete_and_well_formed() -> None:
    roles = {role["metadata"]["name"]: role for role in policy.cluster_roles()}
    bindings = {binding["metadata"]["name"]: binding for binding in policy.cluster_role_bindings()}
    controllers = {name for name in roles if name.startswith("system:controller:")}
    assert len(controllers) == 38
    assert controllers == {name for name in bindings if name.startswith("system:controller:")}
    assert {binding["roleRef"]["name"] for binding in bindings.values()} <= roles.keys()
    for role in roles.values():
        assert role["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
        assert role["metadata"]["annotations"] == {"rbac.authorization.kubernetes.io/autoupdate": "true"}
        for rule in role["rules"]:
            assert rule["verbs"]
            assert rule.get("nonResourceURLs") or (rule["apiGroups"] and rule["resources"])
            assert all(values == sorted(values) for values in rule.values())
    assert {role["metadata"]["name"] for role in policy.roles()} >= {
        "extension-apiserver-authentication-reader", "system::leader-locking-kube-scheduler",
        "system:controller:bootstrap-signer", "system:controller:token-cleaner",
    }  # fmt: skip


def test_view_has_no_secrets_edit_does_and_admin_also_gives_roles() -> None:
    def allowed(name: str, verb: str, group: str, plural: str) -> bool:
        return any(Rule.read(rule).allows(Attributes(verb, group, plural)) for rule in role_rules(name))

    secrets = [allowed(name, "get", "", "secrets") for name in ("view", "edit", "admin")]
    roles = [allowed(name, "create", "rbac.authorization.k8s.io", "roles") for name in ("view", "edit", "admin")]
    pods = [allowed(name, "list", "", "pods") for name in ("view", "edit", "admin")]
    endpoints = [allowed(name, "update", "", "endpoints") for name in ("view", "edit", "admin")]
    assert (secrets, roles) == ([False, True, True], [False, False, True])
    assert (pods, endpoints) == ([True, True, True], [False, False, False])


# -- the policy on a server


async def test_the_policy_is_there(http: Http) -> None:
    for plural, wanted in (
        ("clusterroles", policy.cluster_roles()), ("clusterrolebindings", policy.cluster_role_bindings()),
        ("roles", policy.roles()), ("rolebindings", policy.role_bindings()),
    ):  # fmt: skip
        found = {
            (item["metadata"].get("namespace"), item["metadata"]["name"]): item
            for item in (await http("GET", f"{BASE}/{plural}"))[1]["items"]
        }
        for obj in wanted:
            stored = found[obj["metadata"].get("namespace"), obj["metadata"]["name"]]
            assert stored["metadata"]["managedFields"][0]["manager"] == "kube-apiserver"
            for field in ("rules", "roleRef", "subjects", "aggregationRule"):
                assert stored.get(field) == (obj.get(field) or None), (plural, stored["metadata"]["name"])
    config = (await http("GET", "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"))[1]
    assert "BEGIN CERTIFICATE" in config["data"]["client-ca-file"]


async def test_a_start_gives_back_what_is_missing_and_keeps_what_was_added(own_server: Server) -> None:
    own = {"apiGroups": ["x.example"], "resources": ["y"], "verbs": ["get"]}
    async with connected(own_server) as http:
        role = (await http("GET", f"{BASE}/clusterroles/system:discovery"))[1]
        role["rules"] = [own]
        assert (await http("PUT", f"{BASE}/clusterroles/system:discovery", role))[0] == 200
        left_alone = (await http("GET", f"{BASE}/clusterroles/system:basic-user"))[1]
        left_alone["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"] = "false"
        left_alone["rules"] = [own]
        assert (await http("PUT", f"{BASE}/clusterroles/system:basic-user", left_alone))[0] == 200
        binding = (await http("GET", f"{BASE}/clusterrolebindings/system:discovery"))[1]
        added = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"}
        binding["subjects"] = [added]
        assert (await http("PUT", f"{BASE}/clusterrolebindings/system:discovery", binding))[0] == 200
        assert (await http("DELETE", f"{BASE}/clusterroles/system:kube-dns"))[0] == 200
        untouched = (await http("GET", f"{BASE}/clusterroles/cluster-admin"))[1]
    own_server.end()
    own_server.start()
    async with connected(own_server) as http:
        rules = (await http("GET", f"{BASE}/clusterroles/system:discovery"))[1]["rules"]
        assert rules[0] == own
        paths = {path for rule in rules[1:] for path in rule["nonResourceURLs"]}
        assert paths == set(role_rules("system:discovery")[0]["nonResourceURLs"])
        assert (await http("GET", f"{BASE}/clusterroles/system:basic-user"))[1]["rules"] == [own]
        subjects = (await http("GET", f"{BASE}/clusterrolebindings/system:discovery"))[1]["subjects"]
        assert [subject["name"] for subject in subjects] == ["jane", "system:authenticated"]
        assert (await http("GET", f"{BASE}/clusterroles/system:kube-dns"))[0] == 200
        assert (await http("GET", f"{BASE}/clusterroles/cluster-admin"))[1] == untouched


# -- escalation


async def grant(http: Http, namespace: str, user: str, rules: list[Any]) -> None:
    role = {"metadata": {"name": user}, "rules": rules}
    assert (await http("POST", f"{BASE}/namespaces/{namespace}/roles", role))[0] == 201
    binding = {
        "metadata": {"name": user}, "roleRef": {"kind": "Role", "name": user},
        "subjects": [{"kind": "User", "name": user}],
    }  # fmt: skip
    code, body = await http("POST", f"{BASE}/namespaces/{namespace}/rolebindings", binding)
    assert code == 201
    assert body["roleRef"]["apiGroup"] == body["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"


MANAGE = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["*"]}


async def test_the_sentence_about_missing_rights(http: Http, namespace: str) -> None:
    manage = {**MANAGE, "verbs": ["create", "update", "get"]}
    await grant(http, namespace, "boss", [{"apiGroups": [""], "resources": ["pods"], "verbs": READ}, manage])
    rules = [
        {"apiGroups": ["", "apps"], "resources": ["pods", "secrets"], "verbs": ["get", "delete"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"], "verbs": ["get"]},
    ]
    path = f"{BASE}/namespaces/{namespace}/roles"
    code, body = await http("POST", path, {"metadata": {"name": "r"}, "rules": rules}, impersonate_user="boss")
    assert code == 403
    assert body["details"] == {"name": "r", "group": "rbac.authorization.k8s.io", "kind": "roles"}
    assert body["message"] == (
        'roles.rbac.authorization.k8s.io "r" is forbidden: user "boss" (groups=["system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["configmaps"], ResourceNames:["a"], Verbs:["get"]}\n'
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}\n'
        '{APIGroups:["apps"], Resources:["pods"], Verbs:["get" "delete"]}\n'
        '{APIGroups:["apps"], Resources:["secrets"], Verbs:["get" "delete"]}'
    )


async def test_bind_and_escalate(http: Http, namespace: str) -> None:
    """MANAGE has every verb, `bind` and `escalate` among them."""
    await grant(http, namespace, "ruler", [MANAGE])
    base = f"{BASE}/namespaces/{namespace}"
    more = {"metadata": {"name": "more"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    assert (await http("POST", f"{base}/roles", more, impersonate_user="ruler"))[0] == 201
    bind = {"metadata": {"name": "b"}, "subjects": [{"kind": "User", "name": "ruler"}]}
    for kind, code in (("ClusterRole", 403), ("Role", 201)):
        name = "more" if kind == "Role" else "cluster-admin"
        body = {**bind, "metadata": {"name": kind.lower()}, "roleRef": {"kind": kind, "name": name}}
        assert (await http("POST", f"{base}/rolebindings", body, impersonate_user="ruler"))[0] == code
    await grant(http, namespace, "clerk", [{**MANAGE, "verbs": ["create", "update", "get", "patch"]}])
    missing = {**bind, "metadata": {"name": "m"}, "roleRef": {"kind": "Role", "name": "missing"}}
    code, body = await http("POST", f"{base}/rolebindings", missing, impersonate_user="clerk")
    assert (code, body["message"]) == (404, 'role.rbac.authorization.k8s.io "missing" not found')
    finalizer = {"metadata": {"finalizers": ["example.com/x"]}}
    patch = {"content_type": "application/merge-patch+json", "impersonate_user": "clerk"}
    assert (await http("PATCH", f"{base}/roles/more", finalizer, **patch))[0] == 200
    assert (await http("PATCH", f"{base}/roles/more", {"metadata": {"labels": {"a": "b"}}}, **patch))[0] == 403
    await http("PATCH", f"{base}/roles/more", {"metadata": {"finalizers": None}}, **{**patch, "impersonate_user": "x",
               "impersonate_group": "system:masters"})  # fmt: skip


async def test_only_a_cluster_administrator_makes_roles_that_take_over_rules(http: Http, namespace: str) -> None:
    user, name = f"u-{namespace}", f"collector-{namespace}"
    role = {"metadata": {"name": user}, "rules": [{**MANAGE, "resources": ["clusterroles"], "verbs": ["create"]}]}
    await http("POST", f"{BASE}/clusterroles", role)
    binding = {
        "metadata": {"name": user}, "roleRef": {"kind": "ClusterRole", "name": user},
        "subjects": [{"kind": "User", "name": user}],
    }  # fmt: skip
    await http("POST", f"{BASE}/clusterrolebindings", binding)
    selector = {"matchLabels": {"x": "y"}}
    body = {"metadata": {"name": name}, "aggregationRule": {"clusterRoleSelectors": [selector]}}
    code, answer = await http("POST", f"{BASE}/clusterroles", body, impersonate_user=user)
    assert code == 403
    assert answer["message"].endswith("must have cluster-admin privileges to use the aggregationRule")
    assert (await http("POST", f"{BASE}/clusterroles", body))[0] == 201


async def test_a_binding_whose_role_is_gone(http: Http, namespace: str) -> None:
    await grant(http, namespace, "orphan", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
    assert (await http("DELETE", f"{BASE}/namespaces/{namespace}/roles/orphan"))[0] == 200
    code, body = await http("GET", f"/api/v1/namespaces/{namespace}/pods/x", impersonate_user="orphan")
    assert code == 403
    assert body["message"] == (
        'pods "x" is forbidden: User "orphan" cannot get resource "pods" in API group "" in the namespace '
        f'"{namespace}": RBAC: role.rbac.authorization.k8s.io "orphan" not found'
    )
    code, body = await http("GET", f"/api/v1/namespaces/{namespace}/pods/x/log", impersonate_user="other")
    assert body["message"].startswith('pods "x" is forbidden: User "other" cannot get resource "pods/log" in API')


async def test_what_is_not_valid(http: Http, namespace: str) -> None:
    meta, group = {"name": f"v{uuid.uuid4().hex[:6]}"}, "rbac.authorization.k8s.io"
    role_ref = {"kind": "Role", "name": "r", "apiGroup": group}
    cases: list[tuple[str, Any, list[str]]] = [
        ("roles", {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": []}]},
         ["rules[0].verbs: Required value: verbs must contain at least one value"]),
        ("roles", {"rules": [{"verbs": ["get"]}]},
         ["rules[0].apiGroups: Required value: resource rules must supply at least one api group",
          "rules[0].resources: Required value: resource rules must supply at least one resource"]),
        ("roles", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]},
         ["namespaced rules cannot apply to non-resource URLs"]),
        ("rolebindings", {"roleRef": {"kind": "Thing", "name": "r", "apiGroup": "other"}},
         ['roleRef.apiGroup: Unsupported value: "other": supported values: "rbac.authorization.k8s.io"',
          'roleRef.kind: Unsupported value: "Thing": supported values: "Role", "ClusterRole"']),
        ("rolebindings", {"roleRef": role_ref, "subjects": [{"kind": "User", "name": ""}]},
         ["subjects[0].name: Required value", 'subjects[0].name: Invalid value: "": user name cannot be empty']),
        ("rolebindings", {"roleRef": role_ref, "subjects": [{"kind": "ServiceAccount", "name": "A B"}]},
         ["a lowercase RFC 1123 subdomain must consist of"]),
    ]  # fmt: skip
    for plural, body, texts in cases:
        code, answer = await http("POST", f"{BASE}/namespaces/{namespace}/{plural}", {"metadata": meta, **body})
        assert code == 422, answer
        for text in texts:
            assert text in answer["message"]
    body = {"metadata": meta, "roleRef": {"kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "x"}]}  # fmt: skip
    code, answer = await http("POST", f"{BASE}/clusterrolebindings", body)
    assert (code, "subjects[0].namespace: Required value" in answer["message"]) == (422, True)
    code, answer = await http("POST", f"{BASE}/clusterroles", {"metadata": meta, "aggregationRule": {}})
    assert "at least one clusterRoleSelector required if aggregationRule is non-nil" in answer["message"]


# -- deciding, as pure functions

_words = st.sampled_from(["a", "b", "*"])
_lists = st.lists(_words, min_size=1, max_size=2).map(tuple)
_names = st.lists(st.sampled_from(["n", "m"]), max_size=1).map(tuple)
_rules = st.builds(Rule, _lists, _lists, st.lists(st.sampled_from(["p", "p/s", "*/s", "*"]), min_size=1, max_size=2)
                   .map(tuple), _names)  # fmt: skip
_asked = st.builds(
    Attributes, st.sampled_from(["a", "b"]), st.sampled_from(["a", "b"]), st.just("p"), st.sampled_from(["", "s"]),
    name=st.sampled_from(["", "n", "m"]),
)  # fmt: skip


@given(mine=st.lists(_rules, max_size=3), wanted=_rules, asked=_asked)
def test_whoever_covers_a_rule_may_do_what_it_allows(mine: list[Rule], wanted: Rule, asked: Attributes) -> None:
    if not list(uncovered(mine, [wanted])) and wanted.allows(asked):
        assert any(rule.allows(asked) for rule in mine)


@given(rules=st.lists(_rules, max_size=4), asked=_asked)
def test_what_is_missing_is_what_would_have_to_be_added(rules: list[Rule], asked: Attributes) -> None:
    lacking = list(uncovered(rules[1:], rules[:1]))
    before = any(rule.allows(asked) for rule in rules[:1])
    assert not before or any(rule.allows(asked) for rule in [*rules[1:], *lacking])


def test_of_two_subjects_that_are_the_same_user_the_first_counts() -> None:
    binding = {
        "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "r"},
        "subjects": [{"kind": "Group", "name": "g"}, {"kind": "User", "name": "u"}],
    }  # fmt: skip
    found = Policy({("", "r"): (Rule(("get",), ("",), ("pods",)),)}, [binding]).grants(User("u", ("g",)), "")
    assert [grant.source for grant in found] == ['ClusterRoleBinding "b" of ClusterRole "r" to Group "g"']
