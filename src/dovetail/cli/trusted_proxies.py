"""The option that names the proxies in front of the gateway whose word about the client is taken."""

from collections.abc import Callable
from typing import Any

import click


def trusted_proxy_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--trusted-proxy`, as often as needed; the command is given `trusted_proxies`."""
    return click.option(
        "--trusted-proxy",
        "trusted_proxies",
        multiple=True,
        metavar="ADDRESS|NETWORK",
        callback=_checked,
        help="An ingress or load balancer in front, such as 10.0.0.0/8, whose X-Forwarded-For and X-Forwarded-Proto "
        "are believed. May be given several times.",
    )(command)


def arguments(trusted_proxies: tuple[str, ...]) -> list[str]:
    """The same as arguments of `dovetail gateway-worker`."""
    return [argument for proxy in trusted_proxies for argument in ("--trusted-proxy", proxy)]


def _checked(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    if value:
        from dovetail.gateway.proxy.traffic.client_address import Trusted

        try:
            Trusted(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from None
    return value
