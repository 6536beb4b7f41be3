"""Ends the sessions of users who are disabled or gone: enabling somebody again does not bring his old log-ins back.

His requests are refused from the moment the policy says so; this is about what is stored.
"""

from collections.abc import Callable
from time import time

from dovetail.iam.compiler import account_of
from dovetail.iam.sessions import Sessions
from dovetail.kube import Controller, Informer, Key


def ended_accounts(users: Informer, sessions: Sessions, clock: Callable[[], float] = time) -> Controller:
    """The controller; `users` is the informer of User objects."""

    async def reconcile(key: Key) -> None:
        user = users.lister.by_key(key)
        account = account_of(user) if user is not None else None
        if account is None or account.disabled:
            await sessions.end_all(key.name, clock())

    controller = Controller("sessions of ended accounts", reconcile)
    controller.watches(users)
    return controller
