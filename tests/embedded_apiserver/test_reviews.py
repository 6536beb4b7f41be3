"""SubjectAccessReview and its relatives: answers with reasons, and what they refuse to answer."""

from typing import Any

from .conftest import Http, Server

GROUP, RBAC = "authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1"


async def ask(http: Http, kind: str, spec: Any, namespace: str = "", **headers: str) -> tuple[int, Any]:
    where = f"namespaces/{namespace}/" if namespace else ""
    body = {"apiVersion": GROUP, "kind": kind, "spec": spec}
    return await http("POST", f"/apis/{GROUP}/{where}{kind.lower()}s", body, **headers)


async def grant(http: Http, namespace: str, subject: Any, rules: list[Any]) -> None:
    base = f"/apis/{RBAC}/namespaces/{namespace}"
    assert (await http("POST", f"{base}/roles", {"metadata": {"name": "r"}, "rules": rules}))[0] == 201
    binding = {"metadata": {"name": "b"}, "subjects": [subject], "roleRef": {"kind": "Role", "name": "r"}}
    assert (await http("POST", f"{base}/rolebindings", binding))[0] == 201


PODS = [{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}]


async def test_the_reason_names_the_binding(http: Http, namespace: str) -> None:
    await grant(http, namespace, {"kind": "ServiceAccount", "name": "robot", "namespace": namespace}, PODS)
    asked = {"namespace": namespace, "verb": "get", "resource": "pods"}
    user = f"system:serviceaccount:{namespace}:robot"
    code, answer = await ask(http, "SubjectAccessReview", {"user": user, "resourceAttributes": asked})
    assert code == 201
    assert answer["status"] == {
        "allowed": True,
        "reason": f'RBAC: allowed by RoleBinding "b/{namespace}" of Role "r" to ServiceAccount "robot/{namespace}"',
    }
    assert answer["spec"] == {"user": user, "resourceAttributes": asked}
    entry = answer["metadata"]["managedFields"][0]
    assert entry["fieldsV1"]["f:spec"]["f:user"] == {}
    denied = {"user": user, "resourceAttributes": {**asked, "verb": "delete"}}
    assert (await ask(http, "SubjectAccessReview", denied))[1]["status"] == {"allowed": False}
    masters = {"groups": ["system:masters"], "resourceAttributes": asked}
    assert (await ask(http, "SubjectAccessReview", masters))[1]["status"] == {"allowed": True}
    path = {"groups": ["system:authenticated"], "nonResourceAttributes": {"path": "/apis", "verb": "get"}}
    assert (await ask(http, "SubjectAccessReview", path))[1]["status"]["reason"] == (
        'RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole "system:discovery" to Group '
        '"system:authenticated"'
    )


async def test_a_missing_role_is_told(http: Http, namespace: str) -> None:
    binding = {"metadata": {"name": "b"}, "subjects": [{"kind": "User", "name": "u"}]}
    for at, name in enumerate(("none", "other")):
        body = {**binding, "metadata": {"name": f"b{at}"}, "roleRef": {"kind": "ClusterRole", "name": name}}
        assert (await http("POST", f"/apis/{RBAC}/namespaces/{namespace}/rolebindings", body))[0] == 201
    spec = {"user": "u", "resourceAttributes": {"namespace": namespace, "verb": "get", "resource": "pods"}}
    missing = ", ".join(f'clusterrole.rbac.authorization.k8s.io "{name}" not found' for name in ("none", "other"))
    status = (await ask(http, "SubjectAccessReview", spec))[1]["status"]
    assert status == {"allowed": False, "reason": f"RBAC: [{missing}]"}


async def test_what_is_not_answered(http: Http, namespace: str) -> None:
    asked, path = {"verb": "get", "resource": "pods"}, {"path": "/x", "verb": "get"}
    exactly = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    selector = {"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "Exists"}]}
    empty_in = {"requirements": [{"key": "a", "operator": "In"}]}
    cases: list[tuple[str, Any, list[tuple[str, str]]]] = [
        ("SubjectAccessReview", {"resourceAttributes": asked},
         [("spec.user", "at least one of user or group must be specified")]),
        ("SubjectAccessReview", {"user": "u"}, [("spec.resourceAttributes", exactly)]),
        ("SubjectAccessReview", {"user": "u", "resourceAttributes": asked, "nonResourceAttributes": path},
         [("spec.nonResourceAttributes", "cannot be specified in combination with resourceAttributes")]),
        ("SelfSubjectAccessReview", {}, [("spec.resourceAttributes", exactly)]),
        ("SelfSubjectAccessReview", {"resourceAttributes": {**asked, "fieldSelector": selector}},
         [("spec.resourceAttributes.fieldSelector.rawSelector", "may not specified at the same time as requirements")]),
        ("SelfSubjectAccessReview", {"resourceAttributes": {**asked, "labelSelector": empty_in}},
         [("spec.resourceAttributes.labelSelector.requirements[0].values", "must be specified when `operator` is")]),
    ]  # fmt: skip
    for kind, spec, expected in cases:
        code, body = await ask(http, kind, spec)
        assert (code, body["reason"], body["details"]["group"]) == (422, "Invalid", "authorization.k8s.io")
        causes = body["details"]["causes"]
        assert [cause["field"] for cause in causes] == [field for field, _ in expected]
        assert all(text in cause["message"] for cause, (_, text) in zip(causes, expected, strict=True))
    good = {"resourceAttributes": {**asked, "fieldSelector": {"rawSelector": "spec.nodeName=n"}}}
    assert (await ask(http, "SelfSubjectAccessReview", good))[1]["status"]["allowed"]
    named = {"apiVersion": GROUP, "kind": "SubjectAccessReview", "metadata": {"name": "x"}, "spec": {"user": "u"}}
    code, body = await http("POST", f"/apis/{GROUP}/subjectaccessreviews", named)
    assert [cause["field"] for cause in body["details"]["causes"]] == ["spec.resourceAttributes", "metadata"]
    local = {"user": "u", "resourceAttributes": {**asked, "namespace": "other"}}
    code, body = await ask(http, "LocalSubjectAccessReview", local, namespace)
    assert (code, "must match metadata.namespace" in body["message"]) == (422, True)
    local["resourceAttributes"] = {**asked, "namespace": namespace}
    code, body = await ask(http, "LocalSubjectAccessReview", local, namespace)
    assert (code, body["metadata"]["namespace"], body["status"]) == (201, namespace, {"allowed": False})


async def test_the_rules_of_a_user(http: Http, namespace: str) -> None:
    limited = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"], "verbs": ["update", "get"]}
    await grant(http, namespace, {"kind": "User", "name": "lister"}, [*PODS, limited])
    headers = {"impersonate_user": "lister"}
    code, body = await ask(http, "SelfSubjectRulesReview", {"namespace": namespace}, **headers)
    assert code == 201
    assert body["status"]["incomplete"] is False
    assert "evaluationError" not in body["status"]
    rules = body["status"]["resourceRules"]
    assert {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log"]} in rules
    own = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"], "verbs": ["update", "get"]}
    assert own in rules
    paths = [path for rule in body["status"]["nonResourceRules"] for path in rule["nonResourceURLs"]]
    assert {"/api", "/apis/*", "/healthz"} <= set(paths)
    code, body = await ask(http, "SelfSubjectRulesReview", {}, **headers)
    assert (code, body["message"]) == (400, "no namespace on request")


def test_kubectl_auth(server: Server, namespace: str) -> None:
    assert server.kubectl("auth", "can-i", "create", "pods", "-n", namespace).strip() == "yes"
    asked = ("auth", "can-i", "get", "secrets", "--as", "jane", "-n", namespace)
    assert "no" in server.kubectl(*asked, code=1)
    listed = server.kubectl("auth", "can-i", "--list", "--as", "jane", "-n", namespace)
    assert "selfsubjectreviews.authentication.k8s.io" in listed
    assert "[/healthz]" in listed
    me = server.kubectl("auth", "whoami")
    assert "system:masters" in me
    assert "X509SHA256=" in me
    manifest = {
        "apiVersion": RBAC, "kind": "Role", "metadata": {"name": "rec", "namespace": namespace}, "rules": PODS,
    }  # fmt: skip
    assert "reconciled" in server.kubectl("auth", "reconcile", "-f", "-", stdin=manifest)
    token = server.kubectl("create", "token", "default", "-n", "kube-system", code=None)
    assert "not found" in token or token.count(".") == 2
