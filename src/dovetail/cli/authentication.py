"""The options about logging in, which `up`, `apiserver` and `gateway-control` share."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True)
class Authentication:
    """What was asked for. `idle_timeout` in seconds, 0 for never."""

    basic: bool = False
    idle_timeout: float = 40 * 60.0
    single_session: bool = False

    def arguments(self) -> tuple[str, ...]:
        """The same as options of `gateway-control`."""
        flags = {"--basic-auth": self.basic, "--single-session": self.single_session}
        told = tuple(flag for flag, on in flags.items() if on)
        return (*told, "--session-idle-timeout", f"{self.idle_timeout:g}s")


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from dovetail.apis.dialects.durations import BadDuration, parse_duration

        if isinstance(value, float):
            return value
        try:
            return parse_duration(str(value))
        except BadDuration as error:
            self.fail(str(error), param, ctx)


def authentication_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets them as `authentication`."""

    @click.option(
        "--basic-auth",
        is_flag=True,
        help="Let a request carry a name and a password (HTTP Basic) instead of a token.",
    )
    @click.option(
        "--session-idle-timeout",
        type=_Duration(),
        default="40m",
        show_default=True,
        help="End a session after so long without a request; 0 for never.",
    )
    @click.option(
        "--single-session",
        is_flag=True,
        help="A log-in ends the user's other sessions at the same client.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, basic_auth: bool, session_idle_timeout: float, single_session: bool, **more: Any) -> Any:
        authentication = Authentication(basic_auth, session_idle_timeout, single_session)
        return command(*args, authentication=authentication, **more)

    return wrapped
