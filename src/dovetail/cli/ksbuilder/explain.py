"""`ksbuilder explain`: what a finding means; `ksbuilder category`: the categories that every platform has."""

import difflib

import click

from dovetail.cli.ksbuilder.check_errors import UnknownCode
from dovetail.cli.ksbuilder.reporting import output_option, print_json


@click.command()
@click.argument("code", default="")
@output_option
def explain(code: str, output: str) -> None:
    """Say what the finding CODE means and what to do about it; without CODE, list all of them."""
    from dovetail.packaging.codes import CODES

    if code and code not in CODES:
        raise UnknownCode(code, next(iter(difflib.get_close_matches(code, CODES, n=1)), ""))
    chosen = [CODES[code]] if code else list(CODES.values())
    if output == "json":
        print_json([one._asdict() for one in chosen])
    elif code:
        one = chosen[0]
        click.echo(f"{click.style(one.code, bold=True)}\n{one.title}\n\n{one.why}\n\nWhat to do: {one.fix}")
    else:
        width = max(map(len, CODES))
        for one in chosen:
            click.echo(f"{one.code:{width}}  {one.title}")


@click.command()
@output_option
def category(output: str) -> None:
    """List the categories that every platform has."""
    from dovetail.packaging.names import CATEGORIES
    from dovetail.packaging.objects import category_object

    titles = {name: category_object(name)["spec"]["displayName"] for name in CATEGORIES}
    if output == "json":
        print_json([{"name": name, "displayName": title} for name, title in titles.items()])
        return
    for name, title in titles.items():
        click.echo(f"{title['en']:<30} (Normalized name: {name})")
