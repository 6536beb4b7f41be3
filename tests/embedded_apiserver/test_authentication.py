"""Who is who: claims of tokens and what ends them, reviews of tokens, certificates, impersonation."""

import base64
import json
import time
import uuid
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from .conftest import Http, Server, connected

AUTHENTICATION = "authentication.k8s.io/v1"
ISSUER = "https://kubernetes.default.svc.cluster.local"
REVIEWS = f"/apis/{AUTHENTICATION}/tokenreviews"
MYSELF = f"/apis/{AUTHENTICATION}/selfsubjectreviews"


def claims_of(token: str) -> Any:
    middle = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


def pod(name: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "nginx"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], **spec}}


async def account(http: Http, namespace: str, name: str = "robot") -> str:
    obj = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    code, body = await http("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", obj)
    assert code == 201
    return body["metadata"]["uid"]


async def ask(http: Http, namespace: str, spec: Any = None, name: str = "robot", meta: Any = None) -> tuple[int, Any]:
    request: Any = {"apiVersion": AUTHENTICATION, "kind": "TokenRequest", "spec": spec or {}, "metadata": meta or {}}
    return await http("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", request)


async def review(http: Http, token: str, *audiences: str) -> Any:
    body = {"apiVersion": AUTHENTICATION, "kind": "TokenReview", "spec": {"token": token, "audiences": audiences}}
    code, answer = await http("POST", REVIEWS, body)
    assert code == 201
    return answer["status"]


async def who(http: Http, **headers: str) -> tuple[int, Any]:
    code, body = await http("POST", MYSELF, {"apiVersion": AUTHENTICATION, "kind": "SelfSubjectReview"}, **headers)
    return code, body["status"]["userInfo"] if code == 201 else body


async def test_a_token_says_what_kubernetes_says_and_the_published_keys_verify_it(http: Http, namespace: str) -> None:
    uid = await account(http, namespace)
    code, answer = await ask(http, namespace)
    assert code == 201
    assert answer["spec"] == {"audiences": [ISSUER], "expirationSeconds": 3600, "boundObjectRef": None}
    assert answer["metadata"]["name"] == "robot"
    entry = answer["metadata"]["managedFields"][0]
    assert (entry["subresource"], entry["fieldsV1"]) == ("token", {"f:spec": {"f:expirationSeconds": {}}})
    claims = claims_of(answer["status"]["token"])
    assert set(claims) == {"aud", "exp", "iat", "iss", "jti", "kubernetes.io", "nbf", "sub"}
    assert (claims["iss"], claims["aud"], claims["exp"] - claims["iat"]) == (ISSUER, [ISSUER], 3600)
    assert claims["sub"] == f"system:serviceaccount:{namespace}:robot"
    assert claims["kubernetes.io"] == {"namespace": namespace, "serviceaccount": {"name": "robot", "uid": uid}}
    keys = (await http("GET", "/openid/v1/jwks"))[1]
    assert set(keys["keys"][0]) == {"use", "kty", "kid", "crv", "alg", "x", "y"}
    verified = jwt.decode(answer["status"]["token"], KeySet.import_key_set(keys), algorithms=["ES256"])
    assert verified.claims["jti"] == claims["jti"]
    metadata = (await http("GET", "/.well-known/openid-configuration"))[1]
    assert metadata["issuer"] == claims["iss"]
    assert metadata["jwks_uri"].endswith("/openid/v1/jwks")


async def test_who_a_token_is(http: Http, nobody: Http, namespace: str) -> None:
    uid = await account(http, namespace)
    token = (await ask(http, namespace))[1]["status"]["token"]
    _, me = await who(nobody, authorization=f"Bearer {token}")
    name = f"system:serviceaccount:{namespace}:robot"
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    credential = {"authentication.kubernetes.io/credential-id": [f"JTI={claims_of(token)['jti']}"]}
    assert me == {"username": name, "uid": uid, "groups": groups, "extra": credential}
    status = await review(http, token)
    assert status == {"authenticated": True, "user": me, "audiences": [ISSUER]}


async def test_audiences_are_checked(http: Http, nobody: Http, namespace: str) -> None:
    await account(http, namespace)
    token = (await ask(http, namespace, {"audiences": ["vault", "other"]}))[1]["status"]["token"]
    assert (await who(nobody, authorization=f"Bearer {token}"))[0] == 401
    assert (await review(http, token, "vault", "x"))["audiences"] == ["vault"]
    refused = await review(http, token)
    assert "authenticated" not in refused
    assert refused["user"] == {}
    assert refused["error"] == (
        f'[invalid bearer token, token audiences ["vault" "other"] is invalid for the target audiences ["{ISSUER}"]]'
    )


async def test_a_token_of_a_pod_names_it_and_its_node_and_dies_with_it(
    http: Http, nobody: Http, namespace: str
) -> None:
    await account(http, namespace)
    node = f"node-{namespace}"
    await http("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
    pods = f"/api/v1/namespaces/{namespace}/pods"
    code, made = await http("POST", pods, pod("p", serviceAccountName="robot", nodeName=node))
    assert code == 201
    spec = {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}, "expirationSeconds": 3607}
    answer = (await ask(http, namespace, spec))[1]
    claims = claims_of(answer["status"]["token"])
    bound = claims["kubernetes.io"]
    assert bound["pod"] == {"name": "p", "uid": made["metadata"]["uid"]}
    assert bound["node"]["name"] == node
    assert claims["exp"] - claims["iat"] == 365 * 24 * 3600
    assert bound["warnafter"] == claims["iat"] + 3607
    expires = time.strptime(answer["status"]["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
    assert time.mktime(expires) - time.timezone - claims["iat"] == 3607
    _, me = await who(nobody, authorization=f"Bearer {answer['status']['token']}")
    extra = {name.partition("/")[2]: values for name, values in me["extra"].items()}
    assert (extra["pod-name"], extra["pod-uid"]) == (["p"], [made["metadata"]["uid"]])
    assert extra["node-name"] == [node]
    await http("DELETE", f"{pods}/p?gracePeriodSeconds=0")
    assert (await who(nobody, authorization=f"Bearer {answer['status']['token']}"))[0] == 401
    error = (await review(http, answer["status"]["token"]))["error"]
    assert error == "[invalid bearer token, service account token has been invalidated]"


async def test_a_token_of_a_node_dies_with_it(http: Http, nobody: Http, namespace: str) -> None:
    await account(http, namespace)
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"n-{namespace}"}}
    await http("POST", "/api/v1/nodes", node)
    spec = {"boundObjectRef": {"kind": "Node", "apiVersion": "v1", "name": f"n-{namespace}"}}
    code, answer = await ask(http, namespace, spec)
    assert code == 201
    bearer = f"Bearer {answer['status']['token']}"
    assert (await who(nobody, authorization=bearer))[0] == 201
    await http("DELETE", f"/api/v1/nodes/n-{namespace}")
    await http("POST", "/api/v1/nodes", node)  # the same name is not the same node
    assert (await who(nobody, authorization=bearer))[0] == 401


async def test_what_cannot_be_asked_for(http: Http, namespace: str) -> None:
    await account(http, namespace)
    await http("POST", f"/api/v1/namespaces/{namespace}/pods", pod("other"))
    cases: list[tuple[Any, int, str]] = [
        ({"expirationSeconds": 599}, 422, "expirationSeconds: Invalid value: 599: may not specify a duration less"),
        ({"expirationSeconds": (1 << 32) + 1}, 422, "may not specify a duration larger than 2^32 seconds"),
        ({"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "x"}}, 400,
         "cannot bind token to object of type /v1, Kind=ConfigMap"),
        ({"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "none"}}, 404, 'secrets "none" not found'),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "other"}}, 400,
         'cannot bind token for serviceaccount "robot" to pod running with different serviceaccount name.'),
    ]  # fmt: skip
    for spec, code, text in cases:
        found, body = await ask(http, namespace, spec)
        assert (found, text in body["message"]) == (code, True), body
    code, body = await ask(http, namespace, meta={"name": "other"})
    assert (code, body["details"]["causes"][0]["field"]) == (422, "metadata.name")
    assert (await ask(http, namespace, None, "missing"))[0] == 404
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    await http("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    reference = {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": str(uuid.uuid4())}
    code, body = await ask(http, namespace, {"boundObjectRef": reference})
    assert (code, body["reason"]) == (409, "Conflict")


async def test_forged_tokens_are_told_from_each_other_by_reviewers_only(
    server: Server, http: Http, nobody: Http, namespace: str
) -> None:
    uid = await account(http, namespace)
    genuine = ECKey.import_key((server.data_dir / "pki/sa.key").read_bytes())
    foreign = ECKey.generate_key("P-256")
    bound = {"namespace": namespace, "serviceaccount": {"name": "robot", "uid": uid}}
    base = {"iss": ISSUER, "aud": [ISSUER], "sub": f"system:serviceaccount:{namespace}:robot", "kubernetes.io": bound}
    now = int(time.time())
    invalid = "[invalid bearer token, {}]"
    other = {"namespace": namespace, "serviceaccount": {"name": "robot", "uid": "x"}}
    cases = [
        (foreign, base | {"exp": now + 60}, invalid.format("go-jose/go-jose: error in cryptographic primitive")),
        (genuine, base | {"exp": now - 120}, invalid.format("service account token has expired")),
        (genuine, base | {"exp": now + 600, "nbf": now + 300},
         invalid.format("service account token is not valid yet")),
        (genuine, base | {"exp": now + 60, "kubernetes.io": other},
         invalid.format(f"service account UID ({uid}) does not match claim (x)")),
        (foreign, base | {"exp": now + 60, "iss": "https://elsewhere.example"}, "invalid bearer token"),
    ]  # fmt: skip
    for key, claims, error in cases:
        token = jwt.encode({"alg": "ES256"}, claims, key, algorithms=["ES256"])
        assert (await review(http, token))["error"] == error
        code, body = await who(nobody, authorization=f"Bearer {token}")
        assert (code, body["message"], body["reason"]) == (401, "Unauthorized", "Unauthorized")
    within_leeway = jwt.encode({"alg": "ES256"}, base | {"exp": now - 20}, genuine, algorithms=["ES256"])
    assert (await who(nobody, authorization=f"Bearer {within_leeway}"))[0] == 201
    code, body = await http("POST", REVIEWS, {"apiVersion": AUTHENTICATION, "kind": "TokenReview", "spec": {}})
    assert (code, body["message"]) == (400, "token is required for TokenReview in authentication")


async def test_a_certificate_goes_before_a_token(server: Server, http: Http, namespace: str) -> None:
    await account(http, namespace)
    token = (await ask(http, namespace))[1]["status"]["token"]
    async with connected(server, "console") as console:
        for bearer in (token, "nonsense"):
            _, me = await who(console, authorization=f"Bearer {bearer}")
            assert me["username"] == "system:dovetail:console"
    pem = (server.data_dir / "pki/clients/console.crt").read_bytes()
    digest = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()
    assert me["extra"] == {"authentication.kubernetes.io/credential-id": [f"X509SHA256={digest}"]}


async def test_no_credentials_are_nobody_and_other_schemes_are_no_credentials(nobody: Http) -> None:
    for headers in ({}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer "}):
        code, body = await who(nobody, **headers)
        assert (code, body["details"]) == (403, {"group": "authentication.k8s.io", "kind": "selfsubjectreviews"})
        assert body["message"] == (
            'selfsubjectreviews.authentication.k8s.io is forbidden: User "system:anonymous" cannot create resource '
            '"selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope'
        )
    code, body = await nobody("GET", "/metrics")
    assert (code, body["details"]) == (403, {})
    assert body["message"] == 'forbidden: User "system:anonymous" cannot get path "/metrics"'


async def test_impersonation(http: Http) -> None:
    cases: list[tuple[dict[str, str], Any]] = [
        ({"impersonate_user": "bob"}, {"username": "bob", "groups": ["system:authenticated"]}),
        ({"impersonate_user": "bob", "impersonate_group": "a"},
         {"username": "bob", "groups": ["a", "system:authenticated"]}),
        ({"impersonate_user": "bob", "impersonate_uid": "42"},
         {"username": "bob", "uid": "42", "groups": ["system:authenticated"]}),
        ({"impersonate_user": "system:serviceaccount:x:y"},
         {"username": "system:serviceaccount:x:y",
          "groups": ["system:serviceaccounts", "system:serviceaccounts:x", "system:authenticated"]}),
        ({"impersonate_user": "bob", "impersonate_extra_example.com%2Fscopes": "view"},
         {"username": "bob", "groups": ["system:authenticated"], "extra": {"example.com/scopes": ["view"]}}),
    ]  # fmt: skip
    for headers, user in cases:
        assert await who(http, **headers) == (201, user)
    for header, key in (("x%41y", "xAy"), ("x%zz%2f", "x%zz%2f")):
        _, me = await who(http, **{"impersonate_user": "bob", f"impersonate_extra_{header}": "v"})
        assert me["extra"] == {key: ["v"]}
    # nobody may ask who he is: the rights are those of the one who is impersonated
    code, body = await who(http, impersonate_user="system:anonymous")
    assert (code, 'User "system:anonymous" cannot create' in body["message"]) == (403, True)
    for headers in ({"impersonate_group": "a"}, {"impersonate_uid": "42"}, {"impersonate_extra_x": "y"}):
        code, body = await who(http, **headers)
        assert (code, body["reason"]) == (400, "BadRequest")
        assert body["message"].startswith('requested &user.DefaultInfo{Name:"", ')
        assert body["message"].endswith("without impersonating a user name")


async def test_refused_impersonation(server: Server) -> None:
    cases = {
        "impersonate_user": 'users "bob" is forbidden: User "system:dovetail:console" cannot impersonate resource '
        '"users" in API group "" at the cluster scope',
    }
    async with connected(server, "console") as http:
        for text in cases.values():
            code, body = await who(http, impersonate_user="bob")
            assert (code, body["message"]) == (403, text)
        code, body = await who(http, impersonate_user="system:serviceaccount:x:y")
        assert body["message"].startswith('serviceaccounts "y" is forbidden: ')
        assert body["message"].endswith(
            'cannot impersonate resource "serviceaccounts" in API group "" in the namespace "x"'
        )
