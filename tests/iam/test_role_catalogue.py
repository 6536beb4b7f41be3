"""The templates and built-in roles that the platform brings along: well formed, and no more than they say."""

import json

import pytest

from dovetail.apis import iam_v1beta1 as iam
from dovetail.apis.crds import crds
from dovetail.apis.labels import AGGREGATE_TO_PREFIX, ROLE_CATEGORY, ROLE_DEPENDENCIES, SCOPE
from dovetail.iam.aggregation import aggregate
from dovetail.iam.builtin_roles import builtin_roles, cluster_roles, global_roles, instance, instance_name
from dovetail.iam.role_catalogue import SCOPES, VERB_SETS, categories, templates
from dovetail.iam.shipped import shipped
from tests.apis.validation import violations

TEMPLATES = {template["metadata"]["name"]: template for template in templates()}
READ = {"get", "list", "watch"}
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
REACHING_IN = {"pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy"}
IDENTITY = {
    "users", "users/password", "globalroles", "globalrolebindings", "workspaceroles", "workspacerolebindings",
    "workspacemembers", "clusterroles", "clusterrolebindings", "clustermembers", "roles", "rolebindings",
    "namespacemembers", "groups", "groupbindings", "roletemplates", "builtinroles",
}  # fmt: skip


def rules(name: str) -> list[dict[str, list[str]]]:
    return TEMPLATES[name]["spec"]["rules"]


def test_there_are_pairs_in_four_scopes() -> None:
    assert 60 <= len(TEMPLATES) <= 80
    for scope in SCOPES:
        mine = [name for name, one in TEMPLATES.items() if one["metadata"]["labels"][SCOPE] == scope]
        assert len(mine) >= 12
        assert all(name.startswith(f"{scope}-") for name in mine)
    for name in TEMPLATES:
        assert "-manage-" not in name or name.replace("-manage-", "-view-") in TEMPLATES


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_well_formed(name: str) -> None:
    template = TEMPLATES[name]
    labels = template["metadata"]["labels"]
    assert labels[ROLE_CATEGORY] in {category["metadata"]["name"] for category in categories()}
    for texts in (template["spec"]["displayName"], template["spec"]["description"]):
        assert set(texts) == {"en", "zh"}
        assert all(texts.values())
        assert any(ord(letter) > 0x2E80 for letter in texts["zh"])
    for needed in json.loads(template["metadata"]["annotations"].get(ROLE_DEPENDENCIES, "[]")):
        assert needed in TEMPLATES
        assert needed != name
        assert TEMPLATES[needed]["metadata"]["labels"][SCOPE] == labels[SCOPE]
    assert rules(name)
    for rule in rules(name):
        assert set(rule) == {"verbs", "apiGroups", "resources"}
        assert rule["verbs"] in [list(verbs) for verbs in VERB_SETS.values()]
        for text in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]:
            assert "*" not in text
        assert all(group == "" or "." in group or group in {"apps", "batch", "autoscaling", "policy"}
                   for group in rule["apiGroups"])  # fmt: skip


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_no_more_than_it_says(name: str) -> None:
    granted = {
        (verb, group, resource)
        for rule in rules(name) for verb in rule["verbs"] for group in rule["apiGroups"]
        for resource in rule["resources"]
    }  # fmt: skip
    if "-view-" in name:
        assert {verb for verb, _, _ in granted} <= READ
    if not name.endswith("enter-pods"):
        assert not {resource for _, _, resource in granted} & (REACHING_IN | {"serviceaccounts/token"})
        assert not any(group == "terminal.kubesphere.io" for _, group, _ in granted)
    if not name.endswith("-secrets"):
        assert not any(group == "" and resource.startswith("secrets") for _, group, resource in granted)
    for verb, group, resource in granted:
        assert verb not in {"impersonate", "escalate", "bind", "approve", "sign"}
        assert group not in {"rbac.authorization.k8s.io", "certificates.k8s.io", "admissionregistration.k8s.io"}
        if group == iam.GROUP and verb in WRITES:
            assert resource in IDENTITY, f"{resource} is new: say here whether writing it gives rights"
            assert TEMPLATES[name]["metadata"]["labels"][ROLE_CATEGORY] == "access-control"
        if group == iam.GROUP:
            assert resource not in {"loginrecords"} or verb in READ


def test_projects_cannot_be_moved_between_workspaces_through_kubernetes() -> None:
    """Whoever may write the Namespace object itself writes the label that says whose project it is."""
    for name in TEMPLATES:
        for rule in rules(name):
            if "namespaces" in rule["resources"] and "" in rule["apiGroups"] and WRITES & {*rule["verbs"]}:
                assert name == "cluster-manage-projects"


def test_what_is_shipped_fits_the_schemas() -> None:
    schemas = {
        crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for crd in crds() if crd["spec"]["group"] == iam.GROUP
    }  # fmt: skip
    everything = [*(obj for objects in shipped().values() for obj in objects), *global_roles()]
    assert len(everything) > 90
    for obj in everything:
        assert violations(schemas[obj["kind"]], obj) == [], obj["metadata"]["name"]
    for pattern in builtin_roles():
        role = instance(pattern, "here")
        assert violations(schemas[role["kind"]], role) == []


def test_every_label_to_aggregate_names_a_role() -> None:
    roles: dict[str, set[str]] = {
        "global": {role["metadata"]["name"] for role in global_roles()},
        "cluster": {role["metadata"]["name"] for role in cluster_roles()},
    }  # fmt: skip
    for pattern in builtin_roles():
        roles.setdefault(pattern["metadata"]["labels"][SCOPE], set()).add(pattern["role"]["metadata"]["name"])
    for name, template in TEMPLATES.items():
        labels = template["metadata"]["labels"]
        for label in labels:
            if label.startswith(AGGREGATE_TO_PREFIX):
                assert label.removeprefix(AGGREGATE_TO_PREFIX) in roles[labels[SCOPE]], name


@pytest.mark.parametrize(
    ("scope", "role"), [("workspace", "viewer"), ("namespace", "viewer"), ("workspace", "regular")]
)
def test_a_viewer_views(scope: str, role: str) -> None:
    pattern = next(one for one in builtin_roles() if one["metadata"]["name"] == f"{scope}-{role}")
    copy = instance(pattern, "here")
    added = aggregate(copy["kind"], copy, TEMPLATES.values())
    assert added.templates
    assert not added.problem
    for rule in (*copy["rules"], *added.rules):
        assert {*rule["verbs"]} <= READ
        assert "secrets" not in rule["resources"]
        assert not REACHING_IN & {*rule["resources"]}


def test_nobody_lists_users_or_tenants_for_being_logged_in() -> None:
    role = next(one for one in global_roles() if one["metadata"]["name"] == "authenticated")
    for rule in role["rules"]:
        assert "tenant.kubesphere.io" not in rule.get("apiGroups", ())
        assert not {"users", "namespaces", "secrets", "nodes"} & {*rule.get("resources", ())}
        assert "*" not in str(rule.get("apiGroups", "")) + str(rule["verbs"])


def test_names_of_copies_fit_and_do_not_meet() -> None:
    assert instance_name("shop", "admin") == "shop-admin"
    long = "w" * 63
    names = {instance_name(long, role) for role in ("admin", "viewer", "regular")} | {instance_name("w" * 62, "admin")}
    assert len(names) == 4
    assert all(len(name) <= 63 for name in names)
