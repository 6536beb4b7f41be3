"""Nothing that an extension's account can read is a credential: not while it is installed, and not afterwards.

Hazard 9 of the reference: the executor's kubeconfig, with a cluster-admin's token, lay in a ConfigMap of the
extension's namespace. Here an account that may read everything does so, of every kind that is served; values are
unpacked (base64, gzip, as Helm's records are) and searched for the controllers' own credentials and for anything that
looks like one.
"""

import base64
import binascii
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CONFIGMAPS, JOBS, SECRETS, ApiError, Client, Forbidden, NotFound
from dovetail.lifecycle.access import account_user
from tests.conftest import KubeApi
from tests.finished_jobs import finished_status
from tests.lifecycle.platform import controllers, make, package, plan, publish, until, until_gone, until_settled

HOOK = """\
apiVersion: batch/v1
kind: Job
metadata: {name: hanging, annotations: {helm.sh/hook: pre-install}}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: wait, image: images.test/wait}]}}
"""
EVERYTHING = 'kind: ClusterRole\nrules:\n- {verbs: ["*"], apiGroups: ["*"], resources: ["*"]}\n'
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+")
_MAX = 16 << 20


def needles(kubeconfig: Path) -> set[str]:
    """The credentials that the controllers work with."""
    config = yaml.safe_load(kubeconfig.read_text())
    found: set[str] = set()
    for user in config["users"]:
        for name, value in user["user"].items():
            if name.endswith("key-data"):
                found |= {value, base64.b64decode(value).decode()}
            if name in ("token", "password"):
                found.add(value)
            if name in ("client-key", "tokenFile"):
                found.add(Path(value).read_text().strip())
    assert found, "the controllers' kubeconfig has no credential that this test knows"
    return found


def unpacked(text: str, depth: int = 0) -> Iterator[str]:
    """A text and everything that is packed in it."""
    yield text
    if depth == 4 or len(text) < 16:
        return
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return
    if data.startswith(b"\x1f\x8b"):
        data = zlib.decompressobj(wbits=31).decompress(data, _MAX)
    try:
        inner = data.decode()
    except UnicodeDecodeError:
        return
    try:
        parsed = json.loads(inner)
    except ValueError:
        yield from unpacked(inner, depth + 1)
    else:
        for leaf in leaves(parsed):
            yield from unpacked(leaf, depth + 1)


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, str):
        yield value


def looks_like_one(text: str) -> bool:
    return bool(_JWT.search(text)) or "PRIVATE KEY-----" in text or ("current-context:" in text and "users:" in text)


async def credentials(client: Client, user: str, secrets: set[str]) -> tuple[list[str], int]:
    """Where the account can read a credential, and how many objects it can read."""
    account = client.impersonate(user)
    namespace = user.split(":")[2]
    found: list[str] = []
    count = 0
    for served in await client.discover_all():
        if "list" not in served.verbs or not served.preferred:
            continue
        for place in (None, namespace) if served.resource.namespaced else (None,):
            try:
                objects = (await account.list(served.resource, place)).items
            except Forbidden:
                continue
            except ApiError as error:
                if error.code not in (404, 405):
                    raise
                continue
            for obj in objects:
                count += 1
                texts = [part for leaf in leaves(obj) for part in unpacked(leaf)]
                if any(looks_like_one(text) or any(one in text for one in secrets) for text in texts):
                    found.append(f"{served.resource.kind} {obj['metadata'].get('namespace')}/{obj['metadata']['name']}")
            if objects:
                break  # the whole cluster is readable: its own namespace is in that
    return found, count


async def test_no_credential_where_the_extension_can_read_it(own_kube_api: KubeApi) -> None:
    from tests.conftest import install_crds

    install_crds(own_kube_api)
    secrets = needles(own_kube_api.kubeconfig)
    user = account_user("curious", "extension-curious")
    async with own_kube_api.client() as client, controllers(own_kube_api.kubeconfig):
        content = package(
            "curious", "1.0.0",
            **{"templates/hook.yaml": HOOK, "templates/api.yaml": "", "permissions.yaml": EVERYTHING},
        )  # fmt: skip
        await publish(client, "curious", "1.0.0", content)
        await plan(client, "curious", "1.0.0", config="color: blue\n")

        async def hook() -> Any:
            try:
                return await client.get(JOBS, "hanging", "extension-curious")
            except NotFound:
                return None

        job = await until(hook, lambda found: found is not None, "the hook")
        during, read = await credentials(client, user, secrets)
        assert during == []
        assert read >= 5
        status = {"status": finished_status(job)}
        await client.patch(JOBS, "hanging", status, "extension-curious", subresource="status")
        await until_settled(client, "curious", "1.0.0")
        found = (await client.list(SECRETS, "extension-curious", label_selector="owner=helm")).items
        assert len(found) == 1, "Helm's record is among what was searched"
        afterwards, _ = await credentials(client, user, secrets)
        assert afterwards == []

        await hide_some(client, secrets)
        told, _ = await credentials(client, user, secrets)
        assert told == ["ConfigMap extension-curious/executor", "Secret extension-curious/packed"]
        await client.delete(INSTALLPLANS, "curious")
        await until_gone(client, INSTALLPLANS, "curious")


async def hide_some(client: Client, secrets: set[str]) -> None:
    """What the search must find: a kubeconfig in a ConfigMap, and a key in something packed like Helm's records."""
    kubeconfig = {"config": "apiVersion: v1\nkind: Config\nusers: []\ncurrent-context: admin\n"}
    await make(client, CONFIGMAPS, "executor", "extension-curious", data=kubeconfig)
    packed = gzip.compress(json.dumps({"config": {"token": min(secrets)}}).encode())
    twice = base64.b64encode(base64.b64encode(packed)).decode()
    await make(client, SECRETS, "packed", "extension-curious", data={"release": twice})
