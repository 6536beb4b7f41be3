"""Identity providers as the tests play them: their Secrets, their processes, and the browser of somebody there."""

import contextlib
import re
import secrets
import select
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import yaml

from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.iam.identity_providers.settings import SECRET_TYPE
from dovetail.kube.resources import SECRETS
from tests.conftest import free_port

from .conftest import ISSUER, Answer, Platform

ROOT = Path(__file__).parents[2]
PEER_SECRET, CAS_PASSWORD = "peer-secret:/+", "cas-Passw0rd"


def provider_secret(name: str, type: str, provider: object, **said: object) -> dict[str, Any]:
    """The Secret of a provider."""
    content = yaml.safe_dump({"name": name, "type": type, "provider": provider, **said})
    labels = {"config.kubesphere.io/type": "identityprovider"}
    return {
        "apiVersion": "v1", "kind": "Secret", "type": SECRET_TYPE,
        "metadata": {"name": f"provider-{name.lower()}", "namespace": SYSTEM_NAMESPACE, "labels": labels},
        "data": {"configuration.yaml": b64encode(content.encode()).decode()},
    }  # fmt: skip


@contextlib.asynccontextmanager
async def provided(
    platform: Platform, type: str, provider: object, name: str = "", **said: object
) -> AsyncIterator[str]:
    """A provider of a test's own, for as long as the test wants; its name."""
    name = name or "p" + secrets.token_hex(4)
    secret = provider_secret(name, type, provider, **said)
    await platform.client.create(SECRETS, secret)
    try:
        await platform.until(lambda: platform.deps.identity_providers.get(name) is not None)
        yield name
    finally:
        await platform.client.delete(SECRETS, secret["metadata"]["name"], SYSTEM_NAMESPACE)


@contextlib.contextmanager
def process(command: list[str]) -> Iterator[None]:
    """A server that says `listening` when it does."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            assert select.select([running.stdout], [], [], 25)[0], f"{command[0]} does not listen"
            assert running.stdout.readline() == "listening\n"
            yield
        finally:
            running.kill()


@contextlib.contextmanager
def oidc_peer(name: str) -> Iterator[str]:
    """The provider by others; its issuer. `name` is what it is called here."""
    node, port = shutil.which("node"), free_port()
    assert node is not None
    module = ROOT / "web" / "node_modules" / "oidc-provider" / "lib" / "index.js"
    script = Path(__file__).with_name("oidc_peer.mjs")
    with process([node, str(script), str(module), str(port), f"{ISSUER}/oauth/callback/{name}"]):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def cas_peer(directory: Path) -> Iterator[str]:
    """The CAS server by others; its address."""
    port = free_port()
    script = Path(__file__).with_name("cas_peer.py")
    with process([sys.executable, "-W", "ignore", str(script), str(port), str(directory)]):
        yield f"http://127.0.0.1:{port}/cas"


@dataclass
class Browser:
    """Somebody's browser: its cookies here by name; at the provider it has a jar of its own."""

    platform: Platform
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    async def get(self, path: str) -> Answer:
        sent = {"Cookie": "; ".join(f"{name}={text}" for name, text in self.cookies.items())} if self.cookies else {}
        answer = await self.platform.page("GET", path, headers=sent)
        for name, morsel in answer.cookies.items():
            self.cookies[name] = morsel.value
            if not morsel.value:
                del self.cookies[name]
        return answer

    async def leave(self, provider: str, then: str = "/") -> str:
        """Where we send it."""
        answer = await self.get(f"/oauth/login/{provider}?next={then}")
        assert answer.code == 303, answer.body
        return str(answer.headers["Location"])

    async def there(self, address: str, **typed: str) -> str:
        """At the provider: fill in whatever form comes, until it sends the browser back to us; the way back."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            method, form = "GET", dict[str, str]()
            for _ in range(12):
                more = {"data": form} if method == "POST" else {}
                async with session.request(method, address, allow_redirects=False, **more) as answer:
                    if answer.status in (302, 303):
                        method, address = "GET", urljoin(address, answer.headers["Location"])
                        if address.startswith(ISSUER):
                            return address.removeprefix(ISSUER)
                        continue
                    text = await answer.text()
                    assert answer.status == 200, (answer.status, text)
                    method, form = "POST", _fields(text) | typed
                    action = re.search(r'<form[^>]*action="([^"]+)"', text)
                    address = urljoin(address, unescape(action[1])) if action else address
        raise AssertionError("the provider does not let us go")


def _fields(page: str) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        said = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if said.get("type") == "hidden" and "name" in said:
            found[said["name"]] = unescape(said.get("value", ""))
    return found


def query_of(address: str) -> dict[str, str]:
    """The parameters of an address."""
    return {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
