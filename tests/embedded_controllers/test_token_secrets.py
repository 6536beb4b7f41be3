"""Secrets that hold a token of a service account."""

import base64
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from dovetail.embedded.controllers.signing_keys import SigningKeys
from dovetail.kube import SECRETS, SERVICEACCOUNTS, Client, ClusterConfig, Object, Resource, Unauthorized

from .clusters import exists, new_namespace, until

MYSELF = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", False)
TYPE = "kubernetes.io/service-account-token"


def wish(namespace: str, account: str, name: str = "token") -> Object:
    annotations = {"kubernetes.io/service-account.name": account}
    return {"metadata": {"name": name, "namespace": namespace, "annotations": annotations}, "type": TYPE}


async def filled(client: Client, namespace: str, name: str = "token") -> dict[str, str]:
    async def is_filled() -> bool:
        return set((await client.get(SECRETS, name, namespace)).get("data") or {}) == {"ca.crt", "namespace", "token"}

    await until(is_filled)
    found = await client.get(SECRETS, name, namespace)
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


async def whoami(config: ClusterConfig, token: str) -> str:
    anonymous = ClusterConfig(server=config.server, ca_data=config.ca_pem(), token=token)
    async with Client(anonymous) as other:
        answer = await other.create(MYSELF, {"apiVersion": MYSELF.api_version, "kind": MYSELF.kind})
    return answer["status"]["userInfo"]["username"]


@pytest.mark.e2e
async def test_the_token_works_as_long_as_its_secret_and_account(client: Client) -> None:
    namespace = await new_namespace(client, "token")
    await client.create(SERVICEACCOUNTS, {"metadata": {"name": "robot", "namespace": namespace}})
    for name in ("token", "second"):
        await client.create(SECRETS, wish(namespace, "robot", name))
    data = await filled(client, namespace)
    assert (data["namespace"], data["ca.crt"]) == (namespace, client.config.ca_pem())
    user = f"system:serviceaccount:{namespace}:robot"
    assert await whoami(client.config, data["token"]) == user
    second = (await filled(client, namespace, "second"))["token"]
    await client.patch(SECRETS, "token", {"data": {"token": None, "ca.crt": None}}, namespace)
    again = await filled(client, namespace)
    assert again["ca.crt"] == data["ca.crt"]
    await client.delete(SECRETS, "token", namespace)
    with pytest.raises(Unauthorized):
        await whoami(client.config, again["token"])
    assert await whoami(client.config, second) == user
    await client.delete(SERVICEACCOUNTS, "robot", namespace)

    async def gone() -> bool:
        return not await exists(client, SECRETS, "second", namespace)

    await until(gone)
    with pytest.raises(Unauthorized):
        await whoami(client.config, second)


@pytest.mark.e2e
async def test_a_secret_of_nobody_goes(client: Client) -> None:
    namespace = await new_namespace(client, "token")
    await client.create(SECRETS, wish(namespace, "missing"))

    async def gone() -> bool:
        return not await exists(client, SECRETS, "token", namespace)

    await until(gone)


def test_a_replaced_key_signs_at_once(tmp_path: Path) -> None:
    keys = SigningKeys.below(tmp_path)

    def replace_key() -> None:
        keys.accounts_key.write_bytes(ECKey.generate_key("P-256").as_pem(private=True))

    replace_key()
    first = keys.accounts_jwk().kid
    assert keys.accounts_jwk().kid == first
    replace_key()
    assert keys.accounts_jwk().kid != first
