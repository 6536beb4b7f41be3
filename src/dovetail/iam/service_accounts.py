"""Service accounts of the platform: their names, their accounts in the policy, and their tokens as values. Pure.

A token is an access token like a user's: subject `kubesphere:serviceaccount:<namespace>:<name>`, bound to the uid of
the object, with an end. It is good while the account of that name and uid is in the policy, so it goes with its object
at once, and while it is younger than `status.tokensNotBefore`, which moves on when its Secret is deleted.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dovetail.iam.policy import Account, Identity
from dovetail.iam.tokens import NO_SESSION, Subject, TokenIssuer
from dovetail.kube.objects import is_deleting, key_of, uid_of

PREFIX: Final = "kubesphere:serviceaccount:"
GROUP: Final = "kubesphere:serviceaccounts"
SHORTEST_SECONDS: Final = 600
LONGEST_SECONDS: Final = 30 * 24 * 3600
DEFAULT_SECONDS: Final = 3600


def user_name(namespace: str, name: str) -> str:
    """As whom a service account calls."""
    return f"{PREFIX}{namespace}:{name}"


def account_of_service(obj: Mapping[str, Any]) -> tuple[str, Account]:
    """The name and the account of a ServiceAccount."""
    key = key_of(obj)
    status: Mapping[str, Any] = obj.get("status") or {}
    since = status.get("tokensNotBefore")
    groups = (GROUP, f"{GROUP}:{key.namespace}")
    not_before = since if isinstance(since, int) else 0
    return user_name(key.namespace, key.name), Account(uid=uid_of(obj), groups=groups, tokens_not_before=not_before)


def accounts_of_services(objects: Iterable[Mapping[str, Any]]) -> dict[str, Account]:
    """The accounts of all that are there to stay."""
    return dict(account_of_service(obj) for obj in objects if not is_deleting(obj))


def identity_of_service(obj: Mapping[str, Any]) -> Identity:
    """Who calls with its token, as far as rights go."""
    name, account = account_of_service(obj)
    return Identity(name=name, uid=account.uid, groups=account.groups)


def token_for(issuer: TokenIssuer, obj: Mapping[str, Any], seconds: int, now: float) -> tuple[str, int]:
    """A token, and when it expires (seconds of the epoch). It is never older than the account's tokens may be."""
    name, account = account_of_service(obj)
    issued = max(int(now), account.tokens_not_before)
    subject = Subject(user=name, uid=account.uid, session=NO_SESSION)
    return issuer.access(subject, issued + seconds, issued, life=seconds), issued + seconds
