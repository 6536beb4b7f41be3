"""Every way identity work can fail, as one tree.

    IamError
    +-- InvalidToken          a bearer token is not good (401)
    +-- WeakPassword          a new password breaks the strength rule (422)
    +-- UnusableHash          a stored password hash cannot be checked
    +-- UnusableKeys          the stored signing keys cannot be read
    +-- SessionEnded          a refresh token's session is over, unknown or was replayed (invalid_grant)
    +-- TooManyAttempts       log-ins from this place are refused for a while (429)
    +-- SessionStoreBusy      a session kept changing under us (503)
    +-- NotProven             an identity provider says no (401; iam.identity_providers)
    +-- ProviderFailed        an identity provider does not answer as it should (502; iam.identity_providers)
    +-- HashingBusy           too many passwords wait to be checked (503)

Each takes data and forms its own sentence. None ever holds a password, a hash or a token.
"""

from collections.abc import Sequence


class IamError(Exception):
    """The root of this room's errors."""


class InvalidToken(IamError):
    """A bearer token is not good. `reason` is for logs and for the answer: it never repeats the token."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the token is not valid: {reason}; log in again")


class WeakPassword(IamError):
    """A new password breaks the rule; `missing` lists what it lacks."""

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__(f"the password is too weak: it needs {', '.join(self.missing)}")


class UnusableHash(IamError):
    """A stored password hash has an unknown form or asks for more work than we do for anybody."""

    def __init__(self, user: str, reason: str) -> None:
        self.user, self.reason = user, reason
        super().__init__(f"the stored password of user {user!r} cannot be checked: {reason}; set a new password")


class UnusableKeys(IamError):
    """The Secret with the signing keys exists and cannot be used."""

    def __init__(self, namespace: str, name: str, reason: str) -> None:
        self.namespace, self.name, self.reason = namespace, name, reason
        super().__init__(
            f"Secret {namespace}/{name} holds no usable signing keys: {reason}; "
            "restore it, or delete it to have new keys made (everybody has to log in again)"
        )


class SessionEnded(IamError):
    """A refresh token is of no use any more: its session ended, never was, or the token was used twice."""

    def __init__(self, reason: str, *, replayed: bool = False) -> None:
        self.reason, self.replayed = reason, replayed
        super().__init__(f"the session is over: {reason}; log in again")


class TooManyAttempts(IamError):
    """Log-ins are refused for `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"too many failed log-ins from this address; try again in {retry_after} s")


class SessionStoreBusy(IamError):
    """A session changed under us more often than we try."""

    def __init__(self, session: str) -> None:
        self.session = session
        super().__init__(f"session {session} is being changed by others; try again")


class HashingBusy(IamError):
    """So many passwords wait to be checked that another one would only wait in vain."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        super().__init__(f"{waiting} log-ins are waiting to be checked; try again in a moment")
