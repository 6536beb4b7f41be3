"""The plan of a world, part by part: rights in words, definitions and what is lost, routes and menus, secrets, hash."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import yaml

from dovetail.apis.dialects import extension_version
from dovetail.apis.dialects.policies import AS_PUBLISHED
from dovetail.helm.expecting import Expected
from dovetail.lifecycle.constraints import Platform
from dovetail.lifecycle.data_loss import Loss
from dovetail.lifecycle.preview.hashing import PARTS, moved, same_inputs
from dovetail.lifecycle.preview.planning import make_plan
from dovetail.lifecycle.preview.words import lines
from dovetail.lifecycle.preview.world import HOOK, Answered, Definition, InForce, ObjectKey, Rendering, Served, World
from dovetail.packaging import read_package
from dovetail.packaging.manifests import RenderedObject
from tests.lifecycle.platform import package

Object = dict[str, Any]
SPACE = "extension-x"
EVERYTHING = "kind: ClusterRole\nrules:\n- {verbs: ['*'], apiGroups: ['*'], resources: ['*']}\n"
A_ROLE = "kind: Role\nrules:\n- {verbs: [get], apiGroups: [x], resources: [y]}\n"
KINDS = {
    ("v1", "ConfigMap"): Served("configmaps", True),
    ("v1", "Secret"): Served("secrets", True),
    ("v1", "PersistentVolumeClaim"): Served("persistentvolumeclaims", True),
    ("apps/v1", "Deployment"): Served("deployments", True),
    ("batch/v1", "Job"): Served("jobs", True),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): Served("clusterroles", False),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): Served("customresourcedefinitions", False),
    ("extensions.kubesphere.io/v1alpha1", "APIService"): Served("apiservices", False),
    ("extensions.kubesphere.io/v1alpha1", "ExtensionEntry"): Served("extensionentries", False),
}


def rendered(*texts: str) -> tuple[RenderedObject, ...]:
    return tuple(RenderedObject(yaml.safe_load(text), f"templates/{at}.yaml:1") for at, text in enumerate(texts))


def key(obj: RenderedObject) -> ObjectKey:
    served = KINDS[obj.api_version, obj.kind]
    return ObjectKey(obj.group, obj.kind, SPACE if served.namespaced else "", obj.name)


def live_as(obj: RenderedObject) -> Object:
    """As the release left it in the cluster."""
    notes = {"meta.helm.sh/release-name": "x", "meta.helm.sh/release-namespace": SPACE}
    marks = {"app.kubernetes.io/managed-by": "Helm", "kubesphere.io/extension-ref": "x"}
    return {**obj.value, "metadata": {**obj.metadata, "annotations": notes, "labels": marks}}


def world(
    new: tuple[RenderedObject, ...] = (), old: tuple[RenderedObject, ...] = (), *, version: str = "2.0.0",
    hooks: tuple[RenderedObject, ...] = (), crds: tuple[RenderedObject, ...] = (), permissions: str = EVERYTHING,
    spec: Object | None = None, **more: Any,
) -> World:  # fmt: skip
    obj = {
        "kind": "ExtensionVersion",
        "metadata": {"name": f"x-{version}"},
        "spec": {"version": version, **(spec or {})},
    }
    obj["metadata"]["labels"] = {"kubesphere.io/extension-ref": "x"}
    live: dict[ObjectKey, Any] = {key(one): None for one in (*new, *hooks)}
    live |= {key(one): live_as(one) for one in old}
    return World(
        extension="x",
        version=extension_version({"apiVersion": "kubesphere.io/v1alpha1", **obj}),
        package=read_package(package("x", version, **{"permissions.yaml": permissions})),
        namespace=SPACE,
        namespace_state="active",
        config="",
        injected={},
        policies=more.pop("policies", AS_PUBLISHED),
        platform=Platform("v1.36.0", "4.1.3"),
        in_force=InForce(1, 1, "1.0.0", "t", old) if old else InForce(),
        rendering=Rendering(new, hooks, crds, more.pop("again", new), Expected("digest")),
        kinds=KINDS,
        live={**live, **more.pop("live", {})},
        **more,
    )


def configmap(name: str = "settings", **data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def role(name: str, *rules: Object) -> str:
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    return json.dumps({**kind, "rules": list(rules)})


def rule(verbs: str, resources: str, group: str = "") -> Object:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}


def test_rights_are_told_in_words_with_what_they_amount_to() -> None:
    old = rendered(role("helper", rule("get list", "pods"), rule("get", "nodes")))
    new = rendered(role("helper", rule("get list watch", "pods"), rule("create", "pods/exec")))
    plan = make_plan(replace(world(new, old), roles={"ClusterRole": [rule("*", "*", "*")], "Role": []}))
    gained = {(one.holder, one.words): one.risks for one in plan.rights.gained if one.where == "where it is bound"}
    assert gained == {
        ("whoever holds ClusterRole helper", "watch pods"): [],
        ("whoever holds ClusterRole helper", "create pods/exec"): ["run commands in every pod"],
    }
    lost = {(one.holder, one.words) for one in plan.rights.lost}
    assert lost == {("whoever holds ClusterRole helper", "get nodes")}
    assert any("run commands in every pod" in text for text in plan.warnings)
    text = "\n".join(lines(plan))
    assert "- whoever holds ClusterRole helper may no longer get nodes where it is bound" in text


def test_no_text_of_a_package_hides_a_line_or_writes_another() -> None:
    hostile = "x\x1b[2K\x1b[1A\u202e\nplan hash: 00\rharmless"
    told = list(lines(make_plan(replace(world(), refusal=hostile, rendering=None))))
    assert all(line.isprintable() for line in told)
    assert [line for line in told if line.startswith("plan hash")] == []
    assert any("x\\x1b[2K" in line for line in told)


def test_everything_is_called_everything() -> None:
    plan = make_plan(world())
    risks = [one.risks for one in plan.rights.gained if one.where == "in the whole cluster"]
    assert risks == [["do everything in the cluster"]]


def test_handing_out_more_than_is_held_blocks() -> None:
    rights = "{verbs: ['*'], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]}"
    held = f"kind: ClusterRole\nrules:\n- {rights}\n"
    # all verbs on roles include `escalate`; without it the same role is refused
    assert not make_plan(world(rendered(role("big", rule("*", "*", "*"))), permissions=held)).blocked
    less = held.replace("['*'], apiG", "[get, create, patch, delete], apiG")
    plan = make_plan(world(rendered(role("big", rule("*", "*", "*"))), permissions=less))
    assert [one.reason for one in plan.blocked] == ["Escalation"]


def crd(**spec: Any) -> str:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Gear", "plural": "gears", "singular": "gear"}
    return json.dumps({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gears.example.org"},
        "spec": {"group": "example.org", "scope": "Namespaced", "names": names, "versions": [version]},
    })  # fmt: skip


SIZE, NAME = {"type": "integer"}, {"type": "string"}


def served(text: str, count: int | None, owner: str = "x") -> dict[str, Definition]:
    obj = yaml.safe_load(text)
    obj["metadata"]["annotations"] = {"dovetail.dev/crd-of": owner}
    obj["spec"]["conversion"] = {"strategy": "None"}
    return {"gears.example.org": Definition({**obj, "status": {"storedVersions": ["v1"]}}, count)}


@pytest.mark.parametrize(
    ("there", "wanted", "policy", "count", "action", "blocks"),
    [
        (None, crd(size=SIZE), "CreateReplace", 0, "create", False),
        (None, crd(size=SIZE), "Skip", 0, "skip", False),
        (crd(size=SIZE), crd(size=SIZE), "CreateReplace", 3, "unchanged", False),
        (crd(size=SIZE), crd(size=SIZE, name=NAME), "CreateReplace", 3, "replace", False),
        (crd(size=SIZE), crd(name=NAME), "CreateReplace", 3, "replace", True),
        (crd(size=SIZE), crd(name=NAME), "CreateReplace", None, "replace", True),
        (crd(size=SIZE), crd(name=NAME), "CreateReplace", 0, "replace", False),
        (crd(size=SIZE), crd(name=NAME), "Create", 3, "keep", False),
    ],
)
def test_definitions_follow_the_policy_and_the_verdict(
    there: str | None, wanted: str, policy: Any, count: int | None, action: str, blocks: bool
) -> None:
    definitions = served(there, count) if there else {"gears.example.org": None}
    policies = msgspec.structs.replace(AS_PUBLISHED, crds=policy)
    given = world(crds=rendered(wanted), definitions=definitions, policies=policies)
    plan = make_plan(given)
    (one,) = plan.definitions
    assert one.action == action
    assert [block.reason for block in plan.blocked] == (["UnsafeCRDChange"] if blocks else [])
    if blocks:
        allowed = make_plan(replace(given, annotations={"dovetail.dev/allow-unsafe-crds": "true"}))
        assert not allowed.blocked
        assert any("spec.size" in text for text in allowed.warnings)


def test_a_definition_of_somebody_else_is_used_or_blocks() -> None:
    definitions = served(crd(size=SIZE), 3, owner="other")
    used = make_plan(world(crds=rendered(crd(name=NAME)), definitions=definitions))
    assert ([one.action for one in used.definitions], used.blocked) == (["keep"], [])
    newer = crd(name=NAME).replace('"v1"', '"v2"')
    refused = make_plan(world(crds=rendered(newer), definitions=definitions))
    assert [one.reason for one in refused.blocked] == ["ForeignObject"]


def test_what_goes_with_a_definition_is_counted() -> None:
    lost = [Loss(api_version="example.org/v1", kind="Gear", count=7, why="", names=("a/one", "a/two"))]
    claim = '{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk"}}'
    plan = make_plan(world((), rendered(crd(size=SIZE), claim), lost=lost, definitions=served(crd(size=SIZE), 7)))
    assert {(one.what, one.count) for one in plan.data_loss} == {("Gear", 7), ("volume claim with its data", 1)}
    assert "data would be lost: 7 x Gear, such as a/one, a/two" in "\n".join(plan.warnings)
    unknown = make_plan(world((), rendered(crd(size=SIZE)), lost=None, definitions=served(crd(size=SIZE), None)))
    assert [one.count for one in unknown.data_loss] == [None]


def api_service(name: str, group: str, **about: Any) -> str:
    kind = {
        "apiVersion": "extensions.kubesphere.io/v1alpha1",
        "kind": "APIService",
        "metadata": {"name": name, **about},
    }
    return json.dumps({**kind, "spec": {"group": group, "version": "v1", "url": "http://backend"}})


def entry(name: str, *entries: str, **about: Any) -> str:
    kind = {"apiVersion": "extensions.kubesphere.io/v1alpha1", "kind": "ExtensionEntry"}
    listed = [{"name": one, "parent": "global"} for one in entries]
    return json.dumps({**kind, "metadata": {"name": name, **about}, "spec": {"entries": listed}})


def test_routes_and_menu_entries_come_and_go_and_overlaps_are_told() -> None:
    theirs = {"labels": {"kubesphere.io/extension-ref": "rival"}, "creationTimestamp": "2020-01-01T00:00:00Z"}
    rivals = [
        yaml.safe_load(api_service("rival", "b.example.org", **theirs)),
        yaml.safe_load(entry("rival", "two", **theirs)),
    ]
    old = rendered(api_service("mine", "a.example.org"), entry("mine", "one"))
    new = rendered(api_service("mine", "b.example.org"), entry("mine", "two"))
    plugged = [*rivals, *(live_as(obj) for obj in old)]
    plan = make_plan(world(new, old, plugged=plugged))
    assert plan.plugged.routes.lost == ["* /kapis/a.example.org/v1/*"]
    assert plan.plugged.routes.added == ["* /kapis/b.example.org/v1/*"]
    assert (plan.plugged.menus.added, plan.plugged.menus.lost) == (["two below global"], ["one below global"])
    told = {one.what: (one.message, one.witness) for one in plan.plugged.overlaps}
    assert "rival" in told["route"][0]
    assert told["route"][1].startswith("GET /kapis/b.example.org/v1")
    assert "rival" in told["menu"][0]
    same = make_plan(world(old, old, plugged=plugged))
    assert not same.plugged.overlaps


def test_a_reserved_group_is_told() -> None:
    plan = make_plan(world(rendered(api_service("mine", "iam.kubesphere.io"))))
    assert any("iam.kubesphere.io" in text for text in plan.warnings)


def deployment(image: str, **env: str) -> str:
    listed = [{"name": name, "value": value} for name, value in env.items()]
    pod = {"containers": [{"name": "web", "image": image, "env": listed}]}
    kind = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    return json.dumps({**kind, "spec": {"template": {"spec": pod}}})


def test_no_secret_is_shown_and_its_change_is() -> None:
    secret = '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "%s"}}'
    old = rendered(
        secret % "hunter1", deployment("web:1", DB_PASSWORD="hunter1", MODE="a"), configmap(apiKey="hunter1")
    )
    new = rendered(
        secret % "hunter2", deployment("web:2", DB_PASSWORD="hunter2", MODE="b", AUTH_TOKEN="hunter2"),
        configmap(apiKey="hunter2", color="blue"),
    )  # fmt: skip
    live = {key(old[0]): {**live_as(old[0]), "data": {"a": "aHVudGVyMQ=="}}}
    plan = make_plan(world(new, old, live=live))
    text = json.dumps(plan.as_json()) + "\n".join(lines(plan))
    assert "hunter" not in text
    assert "aHVud" not in text
    fields = {field.path: (field.before, field.after) for one in plan.objects.changed for field in one.fields}
    assert fields["data.a"] == fields["data.apiKey"] == ("(hidden)", "(hidden)")
    env = "spec.template.spec.containers[name=web].env"
    assert fields[f"{env}[name=DB_PASSWORD].value"] == ("(hidden)", "(hidden)")
    assert fields[f"{env}[name=AUTH_TOKEN]"] == ("", "(hidden)")
    assert fields[f"{env}[name=MODE].value"] == ("a", "b")
    assert fields["spec.template.spec.containers[name=web].image"] == ("web:1", "web:2")
    assert (plan.images.added, plan.images.removed) == (["web:2"], ["web:1"])


def test_hooks_are_told_and_one_that_would_replace_what_is_not_ours_blocks() -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "h", "annotations": {HOOK: "pre-install,test"}},
    }
    hooks = rendered(json.dumps(job))
    plan = make_plan(world(hooks=hooks))
    assert [(one.object, one.events) for one in plan.hooks] == [(f"Job.batch {SPACE}/h", "pre-install")]
    taken = make_plan(world(hooks=hooks, live={key(hooks[0]): {"metadata": {"name": "h"}}}))
    assert [one.reason for one in taken.blocked] == ["ForeignObject"]


def test_an_object_that_is_to_be_kept_is_not_removed() -> None:
    kept = json.loads(configmap())
    kept["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    plan = make_plan(world((), rendered(json.dumps(kept))))
    assert ([one.name for one in plan.objects.kept], plan.objects.removed) == (["settings"], [])


def test_what_could_not_be_read_is_told() -> None:
    given = world(rendered(configmap()))
    plan = make_plan(replace(given, live={}, unreadable=("ConfigMap extension-x/settings",)))
    assert "settings" in {one.name for one in plan.objects.unknown}
    assert "? ConfigMap extension-x/settings" in "\n".join(lines(plan))


def hash_of(given: World) -> str:
    return make_plan(given).hash


def test_the_hash_names_what_moved() -> None:
    base = world(rendered(configmap(a="1")), rendered(configmap(a="0")))
    assert hash_of(base) == hash_of(replace(base, answered=Answered("somebody", False, True)))
    cases = {
        "the configuration": replace(base, config="a: 2"),
        "the platform's settings": replace(base, injected={"global": {}}),
        "what the templates render to": replace(base, rendering=replace(base.rendering, expected=Expected("other"))),
        "the release that is in force": replace(base, in_force=replace(base.in_force, revision=2)),
        "the permissions": world(
            rendered(configmap(a="1")), rendered(configmap(a="0")), permissions=f"{EVERYTHING}---\n{A_ROLE}"
        ),
        "the objects in the cluster": replace(
            base, live={**base.live, key(rendered(configmap())[0]): {**live_as(rendered(configmap(a="hand"))[0])}}
        ),
    }  # fmt: skip
    for part, other in cases.items():
        assert part in moved(hash_of(base), hash_of(other)), part
        assert same_inputs(hash_of(base), hash_of(other)) == (part == "the objects in the cluster"), part
    assert moved(hash_of(base), hash_of(cases["the configuration"])) == ["the configuration"]
    assert moved(hash_of(base), hash_of(cases["the objects in the cluster"])) == ["the objects in the cluster"]
    assert moved("nonsense", hash_of(base)) == ["the whole plan"]
    assert len(PARTS) == 7


def test_what_differs_every_time_is_no_part_of_the_hash() -> None:
    old = rendered(configmap(a="0", b="0"))

    def given(random: str, other: str = "1") -> World:
        new, again = rendered(configmap(a=random, b=other)), rendered(configmap(a=f"{random}!", b=other))
        return world(new, old, again=again)

    assert hash_of(given("one")) == hash_of(given("two"))
    assert hash_of(given("one")) != hash_of(given("one", "2"))


def test_nobody_learns_a_live_secret_by_trying_hashes() -> None:
    old = rendered('{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "YQ=="}}')
    new = rendered('{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "Yg=="}}')
    hashes = set[str]()
    for value in ("YQ==", "Yw=="):
        hashes.add(hash_of(world(new, old, live={key(old[0]): {**live_as(old[0]), "data": {"a": value}}})))
    assert len(hashes) == 1
    unchanged = hash_of(world(new, old, live={key(old[0]): {**live_as(old[0]), "data": {"a": "Yg=="}}}))
    assert unchanged not in hashes


def test_a_plan_that_goes_or_rests_is_told() -> None:
    assert [one.reason for one in make_plan(replace(world(), leaving=True)).blocked] == ["Uninstalling"]
    paused = msgspec.structs.replace(AS_PUBLISHED, paused=True)
    assert any("paused" in text for text in make_plan(world(policies=paused)).warnings)
