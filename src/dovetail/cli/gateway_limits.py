"""The option that changes a limit of the gateway's workers; what limits there are is `docs/http.md`'s to tell."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dovetail.gateway.proxy import Limits


def gateway_limit_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--gateway-limit`, as often as needed; the command is given `gateway_limits`."""
    return click.option(
        "--gateway-limit",
        "gateway_limits",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_checked,
        help="Another value for a limit of the gateway, such as head_timeout=5 (seconds) or header_bytes=16384. "
        "May be given several times.",
    )(command)


def arguments(gateway_limits: tuple[str, ...]) -> list[str]:
    """The same as arguments of `dovetail gateway-worker`."""
    return [argument for limit in gateway_limits for argument in ("--gateway-limit", limit)]


def limits(gateway_limits: tuple[str, ...]) -> "Limits":
    """What the options say. Raises ValueError."""
    from dovetail.gateway.proxy import Limits

    return Limits.of(dict(_pair(limit) for limit in gateway_limits))


def _pair(limit: str) -> tuple[str, str]:
    name, _, value = limit.partition("=")
    return name, value


def _checked(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    if value:
        try:
            limits(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from None
    return value
