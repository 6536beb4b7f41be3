"""The identity providers of now, by name: read from the Secrets as they are, so a change counts at once.

A Secret that describes none is left out, logged, and told of in an Event of its own; it harms no other.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dovetail.iam.identity_providers.provider import PasswordProvider, RedirectProvider
from dovetail.iam.identity_providers.settings import ProviderSettings, read_settings
from dovetail.iam.labelled_secrets import LabelledSecrets
from dovetail.kube.objects import key_of

_log = logging.getLogger(__name__)

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A provider that can be used."""

    settings: ProviderSettings
    password: PasswordProvider | None = None
    redirect: RedirectProvider | None = None

    @property
    def name(self) -> str:
        return self.settings.name


class IdentityProviders:
    """`stored` gives the Secrets of a lister; `bad` is told of each that is left out, once a version."""

    def __init__(
        self, stored: Callable[[], Iterable[Object]], bad: Callable[[Object, str], None] = lambda obj, problem: None
    ) -> None:
        self._bad = bad
        self._secrets = LabelledSecrets(stored, _read, self._left_out)

    def all(self) -> dict[str, IdentityProvider]:
        """Those that may be used, by name."""
        return {name: one for name, one in self._secrets.all().items() if not one.settings.disabled}

    def get(self, name: str) -> IdentityProvider | None:
        """The provider of this name, if it may be used."""
        return self.all().get(name)

    def _left_out(self, obj: Object, problem: str) -> None:
        _log.warning("no identity provider", extra={"fields": {"secret": key_of(obj).name, "reason": problem}})
        self._bad(obj, problem)


def _read(obj: Object) -> IdentityProvider:
    settings = read_settings(obj)
    made = _KINDS[settings.type](settings)
    unverified = settings.provider.get("insecureSkipVerify") is True
    if unverified:
        _log.warning("an identity provider's certificate is not verified", extra={"fields": {"name": settings.name}})
    return made


def _ldap(settings: ProviderSettings) -> IdentityProvider:
    from dovetail.iam.identity_providers import ldap

    return IdentityProvider(settings, password=ldap.Ldap(settings))


def _oidc(settings: ProviderSettings) -> IdentityProvider:
    from dovetail.iam.identity_providers import oidc

    return IdentityProvider(settings, redirect=oidc.Oidc(settings))


def _oauth2(settings: ProviderSettings) -> IdentityProvider:
    from dovetail.iam.identity_providers import oauth2

    return IdentityProvider(settings, redirect=oauth2.OAuth2(settings))


def _cas(settings: ProviderSettings) -> IdentityProvider:
    from dovetail.iam.identity_providers import cas

    return IdentityProvider(settings, redirect=cas.Cas(settings))


_KINDS: Final[Mapping[str, Callable[[ProviderSettings], IdentityProvider]]] = {
    "LDAPIdentityProvider": _ldap,
    "OIDCIdentityProvider": _oidc,
    "GitHubIdentityProvider": _oauth2,
    "AliyunIDaaSProvider": _oauth2,
    "CASIdentityProvider": _cas,
}
