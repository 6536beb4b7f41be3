"""CASIdentityProvider: the CAS protocol 2.0 and 3.0, service tickets (`/login`, `/serviceValidate`).

    casServerURL, redirectURL, insecureSkipVerify; beyond KubeSphere's: rootCA, rootCAData

CAS knows no state; ours travels in the service address, which CAS sends back as it is and binds the ticket to. The
answer is XML from a server that the administrator named; a document with a DTD is not read at all.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree

from dovetail.iam.identity_providers.code_flow import with_query
from dovetail.iam.identity_providers.provider import Flow, NotProven, Person, ProviderFailed, said
from dovetail.iam.identity_providers.settings import ProviderSettings
from dovetail.iam.identity_providers.web import Web
from dovetail.iam.labelled_secrets import UnusableConfiguration

_NAMESPACE: Final = "{http://www.yale.edu/tp/cas}"
_LONGEST: Final = 254


class Cas:
    """One provider."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._name = settings.name
        self._web = Web(settings.name, settings.provider)
        self._server = self._web.address(settings.provider, "casServerURL").rstrip("/")
        if not self._server:
            raise UnusableConfiguration("casServerURL is needed")

    async def begin(self, flow: Flow) -> str:
        """Where the browser goes."""
        return f"{self._server}/login?service={quote(_service(flow), safe='')}"

    async def finish(self, flow: Flow, answer: Mapping[str, str]) -> Person:
        """Who came back with a ticket."""
        ticket = answer.get("ticket", "")
        if not ticket:
            raise NotProven("the identity provider sent no ticket")
        asked = with_query(f"{self._server}/serviceValidate", {"service": _service(flow), "ticket": ticket})
        user = user_of(self._name, await self._web.get(asked))
        return Person(subject=user, username=user)


def _service(flow: Flow) -> str:
    return with_query(flow.redirect_uri, {"state": flow.state})


def user_of(provider: str, body: bytes) -> str:
    """The user in a validation's answer. Raises NotProven, ProviderFailed."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or b"\0" in body:
        raise ProviderFailed(provider, "its answer is XML of a kind that is not read here")
    try:
        answer = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ProviderFailed(provider, "its answer is not XML") from error
    if answer.tag != f"{_NAMESPACE}serviceResponse":
        raise ProviderFailed(provider, "its answer is not CAS")
    failure = answer.find(f"{_NAMESPACE}authenticationFailure")
    if failure is not None:
        raise NotProven(f"the identity provider does not take its ticket back: {said(failure.get('code', ''))}")
    user = (answer.findtext(f"{_NAMESPACE}authenticationSuccess/{_NAMESPACE}user") or "").strip()
    if not user or len(user) > _LONGEST or not user.isprintable():
        raise ProviderFailed(provider, "its answer names no user")
    return user
