"""When a session has not been used for too long: the seed's `token-idle-timeout`, sliding with every request. Pure.

Workers report which sessions they have seen; control keeps that in memory and writes it down only when the last use
that is stored is an eighth of the timeout old, so that requests do not become writes. Who reads a stored time (another
replica, or control after a restart) therefore allows for that eighth: a session ends between `timeout` and
`timeout` + 1/8 after its last use, whoever looks. A refresh of its tokens is a use.
"""

from dataclasses import dataclass

from dovetail.iam.session import Session


@dataclass(frozen=True, slots=True)
class Idleness:
    """The rule; `timeout` in seconds, 0: sessions never end of themselves."""

    timeout: float = 40 * 60.0

    @property
    def slack(self) -> float:
        """How far behind a stored time may be."""
        return self.timeout / 8

    def lapsed(self, session: Session, heard: float, now: float) -> bool:
        """Whether a session has ended by not being used. `heard`: its last use that was reported here, or 0."""
        if session.identity_only:  # its tokens never come by here; how long they last is its client's terms
            return False
        return bool(self.timeout) and now > last_use(session, heard) + self.timeout + self.slack

    def worth_storing(self, session: Session, heard: float) -> bool:
        """Whether a use that was reported here has to be written down."""
        return bool(self.timeout) and heard - last_use(session, 0.0) >= self.slack


def last_use(session: Session, heard: float) -> float:
    """The latest that is known."""
    return max(session.used_at, float(session.refreshed_at), heard)
