"""The console's settings: what everybody may see, and what only some may."""

import secrets
from base64 import b64encode

from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.kube.resources import CONFIGMAPS, SECRETS

from .conftest import ISSUER, Platform
from .provider_rig import provided

BASE = "/kapis/config.kubesphere.io/v1alpha2"
SETTINGS = f"{BASE}/platformconfigs"


async def test_what_everybody_may_know_of_the_providers(platform: Platform) -> None:
    ldap = {"host": "ldaps://x", "userSearchBase": "dc=x", "managerDN": "cn=a", "managerPassword": "very-secret"}
    oidc = {"issuer": "https://i.example", "clientID": "c", "clientSecret": "very-secret"}
    async with (
        provided(platform, "LDAPIdentityProvider", ldap, displayName="Directory") as directory,
        provided(platform, "OIDCIdentityProvider", oidc) as single,
        provided(platform, "OIDCIdentityProvider", oidc, hidden=True) as hidden,
    ):
        answer = await platform.call("GET", f"{BASE}/configs/oauth", groups=["system:unauthenticated"])
        assert answer.code == 200, answer.body
        assert "secret" not in str(answer.body)
        assert answer.body["issuer"] == {"url": ISSUER}
        found = {one["name"]: one for one in answer.body["identityProviders"]}
        assert hidden not in found
        assert found[directory] == {
            "name": directory, "displayName": "Directory", "type": "LDAPIdentityProvider", "kind": "password",
        }  # fmt: skip
        assert found[single]["loginURL"] == f"/oauth/login/{single}"
        assert (await platform.page("GET", f"/oauth/login/{hidden}")).code == 502, "it is hidden, not gone"
        assert (await platform.call("GET", f"{BASE}/configs/configz")).body["identityProviders"] is True


async def test_the_theme_is_everybodys_to_see_and_an_administrators_to_set(platform: Platform) -> None:
    admin, other = await platform.user("platform-admin"), await platform.user()
    path, theme = f"{BASE}/configs/theme", {"title": "Our platform", "logo": "data:image/png;base64,AA=="}
    try:
        assert (await platform.call("GET", path)).body == {}
        assert (await platform.call("PUT", path, json=theme, user=other)).code == 403
        assert (await platform.call("PUT", path, json=theme)).code == 401
        for again in (theme, {**theme, "title": "Once more"}):
            assert (await platform.call("PUT", path, json=again, user=admin)).code == 200
            assert (await platform.call("GET", path)).body == again
        for wrong in ("javascript:alert(1)", " Java\tScript:x", "data:text/html,<script>", "data:image/svg+xml,<svg"):
            refused = await platform.call("PUT", path, json={"a": [{"logo": wrong}]}, user=admin)
            assert refused.code == 422
    finally:
        await platform.client.delete(CONFIGMAPS, "platform-theme", SYSTEM_NAMESPACE)


async def test_settings_show_their_values_to_who_may_change_them(platform: Platform) -> None:
    admin, outsider = await platform.user("platform-admin"), await platform.user()
    rule = {"verbs": ["get", "list"], "apiGroups": ["config.kubesphere.io"], "resources": ["platformconfigs"]}
    reader = await platform.user(await platform.role(rule))
    name = "s" + secrets.token_hex(4)
    path, body = f"{SETTINGS}/{name}", {"metadata": {"name": name}, "data": {"token": "hush-hush", "size": 3}}
    made = await platform.call("POST", SETTINGS, json=body, user=admin)
    assert (made.code, made.body["data"]) == (201, body["data"])
    assert (await platform.call("POST", SETTINGS, json=body, user=admin)).reason == "AlreadyExists"
    for path_ in (path, SETTINGS):
        seen = await platform.call("GET", path_, user=reader)
        assert seen.code == 200
        assert "hush-hush" not in str(seen.body)
        assert "'token': None" in str(seen.body)
        assert (await platform.call("GET", path_, user=outsider)).code == 403
    assert (await platform.call("GET", f"{SETTINGS}?fieldSelector=data.token=~hush", user=reader)).body["items"] == []
    merge = {"headers": {"Content-Type": "application/merge-patch+json"}}
    patched = await platform.call("PATCH", path, json={"data": {"size": None, "more": 1}}, user=admin, **merge)
    assert patched.body["data"] == {"token": "hush-hush", "more": 1}
    stale = {**body, "metadata": {"name": name, "resourceVersion": made.body["metadata"]["resourceVersion"]}}
    assert (await platform.call("PUT", path, json=stale, user=admin)).code == 409
    assert (await platform.call("PUT", path, json={"data": {"a": 1}}, user=admin)).body["data"] == {"a": 1}
    for wrong in ({"metadata": {"name": "another"}}, {"data": []}, {"kind": "Secret"}):
        assert (await platform.call("PUT", path, json=wrong, user=admin)).code == 422
    assert (await platform.call("PUT", path, json={"data": {}}, user=reader)).code == 403
    assert (await platform.call("DELETE", path, user=admin)).code == 200
    assert (await platform.call("GET", path, user=admin)).code == 404


async def test_other_secrets_are_out_of_reach(platform: Platform) -> None:
    admin, name = await platform.user("platform-admin"), "o" + secrets.token_hex(4)
    foreign = {
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": f"platform-config-{name}", "namespace": SYSTEM_NAMESPACE},
        "data": {"configuration.yaml": b64encode(b'{"a": "b"}').decode()},
    }  # fmt: skip
    await platform.client.create(SECRETS, foreign)
    for path in (f"{SETTINGS}/{name}", f"{SETTINGS}/..%2Fdovetail-signing-keys", f"{SETTINGS}/%2e%2e"):
        for method in ("GET", "DELETE"):
            assert (await platform.call(method, path, user=admin)).code in (400, 403, 404)
    assert (await platform.client.get(SECRETS, foreign["metadata"]["name"], SYSTEM_NAMESPACE))["data"]
