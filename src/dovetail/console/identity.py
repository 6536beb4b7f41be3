"""Who asks: as the gateway says in X-Remote-*, on a socket that only the gateway can reach."""

from dataclasses import dataclass

from starlette.datastructures import Headers


@dataclass(frozen=True, slots=True)
class Caller:
    """A user whom the gateway has authenticated."""

    username: str
    groups: tuple[str, ...] = ()


def caller_of(headers: Headers) -> Caller | None:
    """The caller, or None when the gateway let an anonymous request through."""
    username = headers.get("x-remote-user", "")
    if not username:
        return None
    return Caller(username, tuple(group for group in headers.getlist("x-remote-group") if group))
