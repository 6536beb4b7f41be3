"""A client of the provider, as the tests play it: registered as a Secret, with PKCE, and the browser of its user."""

import hashlib
import html
import re
import secrets
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import yaml

from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.iam.oauth_clients import DATA_KEY, SECRET_TYPE
from dovetail.kube.client import Client
from dovetail.kube.resources import SECRETS

from .conftest import Answer, Platform

CALLBACK = "https://app.example.com/callback?from=dovetail"


def client_secret(name: str, **said: Any) -> dict[str, Any]:
    """The Secret of a client."""
    configuration = yaml.safe_dump({"name": name, "redirectURIs": [CALLBACK], **said})
    labels = {"config.kubesphere.io/type": "oauthclient"}
    return {
        "apiVersion": "v1", "kind": "Secret", "type": SECRET_TYPE,
        "metadata": {"name": f"oauthclient-{name}", "namespace": SYSTEM_NAMESPACE, "labels": labels},
        "data": {DATA_KEY: b64encode(configuration.encode()).decode()},
    }  # fmt: skip


async def register(platform: Platform, **said: Any) -> str:
    """A client of a test's own, known to the platform."""
    name = "c" + secrets.token_hex(5)
    await store(platform.client, name, **said)
    await platform.until(lambda: platform.deps.oauth_clients.get(name) is not None)
    return name


async def store(client: Client, name: str, **said: Any) -> None:
    await client.create(SECRETS, client_secret(name, **said), SYSTEM_NAMESPACE)


@dataclass
class Flow:
    """One authorization of a client by a user's browser."""

    platform: Platform
    client: str
    cookies: str = ""
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(8))

    @property
    def challenge(self) -> str:
        return urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def params(self, **more: str) -> dict[str, str]:
        asked = {
            "response_type": "code", "client_id": self.client, "redirect_uri": CALLBACK, "scope": "openid email",
            "state": self.state, "nonce": "n-1", "code_challenge": self.challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        return {key: value for key, value in {**asked, **more}.items() if value}

    async def log_in(self, user: str) -> None:
        """The user logs in to the console in this browser."""
        body = {"username": user, "password": "Correct-horse1"}
        answer = await self.platform.call("POST", "/oauth/session", json=body)
        assert answer.code == 200, answer.body
        self.cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in answer.cookies.items())

    async def ask(self, path: str = "", headers: dict[str, str] | None = None, **more: str) -> Answer:
        """The browser at the authorization endpoint."""
        target = path or "/oauth/authorize?" + urlencode(self.params(**more))
        return await self.browse("GET", target, headers=headers)

    async def browse(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        sent = {
            "Sec-Fetch-Site": "same-origin",
            **({"Cookie": self.cookies} if self.cookies else {}),
            **(headers or {}),
        }
        return await self.platform.page(method, path, headers=sent, **more)

    async def decide(self, page: Answer, decision: str = "allow", headers: dict[str, str] | None = None) -> Answer:
        """Press a button of the consent page."""
        form = {"ticket": ticket_of(page), "decision": decision}
        return await self.browse("POST", "/oauth/authorize", headers, data=form)

    async def code(self, **more: str) -> str:
        """A code, by whatever it takes."""
        answer = await self.ask(**more)
        if answer.code == 200:
            answer = await self.decide(answer)
        told = back(answer)
        assert told["state"] == self.state, told
        return told["code"]

    async def redeem(self, code: str, **more: str) -> Answer:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": self.client,
            "code_verifier": self.verifier,
        }  # fmt: skip
        form = {key: value for key, value in {**form, **more}.items() if value}
        return await self.platform.call("POST", "/oauth/token", data=form)


def ticket_of(page: Answer) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', page.body)
    assert found, page.body
    return html.unescape(found[1])


def back(answer: Answer) -> dict[str, str]:
    """What the client is told at its address."""
    assert answer.code == 303, (answer.code, answer.body)
    location = answer.headers["Location"]
    assert location.startswith(CALLBACK + "&"), location
    return {key: values[0] for key, values in parse_qs(urlsplit(location).query).items()}
