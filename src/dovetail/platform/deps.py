"""What the platform's API is made of: handed in by the control process, which owns the informers and the client."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any, Protocol

from dovetail.iam.identity_providers.registry import IdentityProviders
from dovetail.iam.keys import PublicKey
from dovetail.iam.lockout import Lockout
from dovetail.iam.login_records import LoginRecords
from dovetail.iam.oauth_clients import OAuthClients
from dovetail.iam.passwords import Passwords
from dovetail.iam.policy import Policy
from dovetail.iam.sessions import Sessions
from dovetail.iam.tickets import Tickets
from dovetail.iam.tokens import TokenIssuer, TokenVerifier
from dovetail.kube.client import Client
from dovetail.kube.resources import ResourceLike

Objects = list[dict[str, Any]]


class Directory(Protocol):
    """The part of `dovetail.kube.Lister` that is read here."""

    def get(self, name: str, namespace: str | None = None) -> dict[str, Any] | None: ...

    def list(self, namespace: str | None = None, selector: Mapping[str, str] | None = None) -> Objects: ...

    def by_index(self, index: str, value: str) -> Objects: ...


@dataclass(frozen=True, kw_only=True)
class PlatformDeps:
    """Everything `create_app` needs. `policy` gives the one in force; `issuer` is the URL in tokens."""

    client: Client
    directory: Callable[[ResourceLike], Directory]
    """The cache of a kind of identity or tenancy, or of namespaces (`dovetail.platform.directories`)."""
    definitions: Callable[[], Objects] = list
    """The CustomResourceDefinitions of other people's kinds that are served generically, without schemas."""
    users: Directory
    global_roles: Directory
    global_role_bindings: Directory
    policy: Callable[[], Policy]
    issuer: str
    keys: Callable[[], tuple[PublicKey, ...]]
    """What tokens are verified with; it changes as the keys that sign take turns."""
    sessions: Sessions
    token_issuer: TokenIssuer
    oauth_clients: OAuthClients
    login_records: LoginRecords
    identity_providers: IdentityProviders = field(default_factory=lambda: IdentityProviders(tuple))
    linking: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from the look whether somebody from an identity provider has a user until a new one is stored."""
    lockout: Lockout = field(default_factory=Lockout)
    provider_lockout: Lockout = field(default_factory=Lockout)
    """The same for passwords that an identity provider checks: its names are not ours."""
    passwords: Passwords = field(default_factory=Passwords)
    assertion_keys: Callable[[], tuple[PublicKey, ...]] = tuple
    """What the gateway's word to backends is verified with: published beside `keys`, good for no token."""
    logged_in: Callable[[str, str, str], None] = lambda user, address, problem: None
    """Told of each try to log in: the user ("" when there is none of that name), the address, what was wrong or ""."""
    clock: Callable[[], float] = time
    """Seconds of the epoch."""
    version: str = "v0.0.0"
    kubeconfig: Path | None = None
    """How Helm reaches the cluster when a plan is made; None: as the pod."""

    def tickets(self) -> Tickets:
        """What goes through browsers and comes back as it was."""
        return Tickets(self.token_issuer, self.tokens)

    def tokens(self) -> TokenVerifier:
        """Reads tokens of ours without looking at accounts: for refresh and logout."""
        return TokenVerifier(self.issuer, self.keys(), {})
