"""Options that several commands share."""

import click

plain_http_option = click.option(
    "--plain-http/--tls", "plain_http", default=None, help="How to speak to a registry.  [default: TLS, except locally]"
)
