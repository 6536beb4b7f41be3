"""Talking to an OCI registry as the person who logged in with `ksbuilder login`."""

from dovetail.cli.ksbuilder.credentials import Credentials, Login
from dovetail.packaging.registry import client
from dovetail.packaging.registry.client import Account
from dovetail.packaging.registry.references import Reference


class Registry(client.Registry):
    """See `dovetail.packaging.registry.client`. Without a login the remembered one of the host is used."""

    def __init__(self, reference: Reference, *, plain: bool | None = None, login: Login | None = None) -> None:
        known = login if login is not None else Credentials().get(reference.host)
        account = Account() if known is None else Account(known.username, known.secret, known.trust())
        super().__init__(reference, plain=plain, account=account, login_hint="log in with `ksbuilder login`")
