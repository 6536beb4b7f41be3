"""The authorization code flow with PKCE (RFC 6749 4.1, RFC 7636, RFC 9207), as OIDC and plain OAuth 2 share it."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from dovetail.iam.identity_providers.provider import Flow, NotProven, ProviderFailed, said
from dovetail.iam.identity_providers.web import Json, Web


@dataclass(frozen=True, slots=True)
class ClientOf:
    """What we are at the provider. `in_body`: the secret goes into the form and not into the header."""

    provider: str
    id: str
    secret: str = field(repr=False)
    in_body: bool = False


def asked_at(address: str, client: ClientOf, flow: Flow, scopes: tuple[str, ...], **more: str) -> str:
    """Where the browser goes for a code."""
    challenge = urlsafe_b64encode(sha256(flow.verifier.encode()).digest()).rstrip(b"=").decode()
    params = {
        "response_type": "code", "client_id": client.id, "redirect_uri": flow.redirect_uri, "state": flow.state,
        "scope": " ".join(scopes), "code_challenge": challenge, "code_challenge_method": "S256", **more,
    }  # fmt: skip
    return with_query(address, {key: value for key, value in params.items() if value})


def code_of(answer: Mapping[str, str], issuer: str = "") -> str:
    """The code that came back. Raises NotProven for an error, and for the answer of another issuer."""
    if answer.get("error"):
        raise NotProven(f"the identity provider says: {said(answer.get('error_description') or answer['error'])}")
    if issuer and answer.get("iss", issuer) != issuer:
        raise NotProven("the answer is another provider's")
    if not answer.get("code"):
        raise NotProven("the identity provider sent no code")
    return answer["code"]


async def redeemed(web: Web, address: str, client: ClientOf, flow: Flow, code: str) -> Json:
    """What the token endpoint gives for a code. Raises NotProven, ProviderFailed."""
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": flow.redirect_uri,
        "code_verifier": flow.verifier,
    }  # fmt: skip
    headers: dict[str, str] = {}
    if client.secret and not client.in_body:
        pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
    else:
        form |= {"client_id": client.id} | ({"client_secret": client.secret} if client.secret else {})
    code_, answer = await web.post_form(address, form, headers)
    if answer.get("error") == "invalid_grant":
        raise NotProven("the identity provider does not take its code back")
    if code_ != 200 or "error" in answer:
        raise ProviderFailed(client.provider, f"no token: {code_} {said(answer.get('error', ''))}")
    return answer


def bearer(provider: str, tokens: Mapping[str, Any]) -> dict[str, str]:
    """The header that an access token makes."""
    token = tokens.get("access_token")
    if not isinstance(token, str) or not token.isprintable() or not token:
        raise ProviderFailed(provider, "the token endpoint gave no access token")
    return {"Authorization": f"Bearer {token}"}


def with_query(address: str, params: Mapping[str, str]) -> str:
    """An address with more parameters."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(params))))))
