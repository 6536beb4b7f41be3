"""Somebody whom an identity provider knows and who has no user here yet: as whom he calls to make one. Pure.

The provider maps people by hand (`mappingMethod: manual`), so the person chooses a name. Until then he calls as
`system:pre-registration`, with who he is at the provider in `extra`, and may do one thing: create his own user.
"""

from collections.abc import Mapping
from typing import Final

from dovetail.iam.builtin_roles import PRE_REGISTRATION_GROUP
from dovetail.iam.policy import Account
from dovetail.iam.rules import PRE_REGISTRATION
from dovetail.iam.tokens import NO_SESSION, Subject, TokenIssuer

UID: Final = "pre-registration"
SECONDS: Final = 900
ACCOUNT: Final = {PRE_REGISTRATION: Account(uid=UID, groups=(PRE_REGISTRATION_GROUP,))}
"""Part of the policy while there is a provider that maps by hand."""


def access_token(issuer: TokenIssuer, extra: Mapping[str, str], now: float) -> str:
    """The token of one such person."""
    subject = Subject(user=PRE_REGISTRATION, uid=UID, session=NO_SESSION)
    said = {name: [value] for name, value in extra.items() if value}
    return issuer.access(subject, int(now) + SECONDS, now, extra=said)
