"""Times as Kubernetes writes them: RFC 3339 in UTC, whole seconds (metav1.Time) or microseconds (metav1.MicroTime)."""

from datetime import UTC, datetime


def now() -> datetime:
    """The wall clock, in UTC; the default wherever a function takes `now`."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """metav1.Time: `2026-07-05T10:11:12Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(moment: datetime) -> str:
    """metav1.MicroTime: `2026-07-05T10:11:12.123456Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> datetime:
    """The moment that either form names. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
