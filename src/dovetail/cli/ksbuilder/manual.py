"""`ksbuilder man`: the manual page, made from the commands themselves, so that it says what --help says."""

import re
from collections.abc import Iterator

import click

from dovetail import __version__


@click.command(short_help="Print the manual page.")
def man() -> None:
    """Print the manual page: ksbuilder man | man -l -"""
    from dovetail.cli.ksbuilder import ksbuilder

    click.echo(page(ksbuilder, "ksbuilder"))


def page(command: click.Group, name: str) -> str:
    """The page of a command and all that are below it, as roff."""
    context = click.Context(command, info_name=name)
    about = (command.help or "").split("\n")[0]
    lines = [
        f'.TH {name.upper()} 1 "" "Dovetail {__version__}" "User Commands"',
        ".SH NAME", f"{name} \\- {_text(about).rstrip('.').lower()}",
        ".SH SYNOPSIS", f".B {name}", "[OPTIONS] COMMAND [ARGS]...",
        ".SH DESCRIPTION", *_paragraphs(command.help or ""),
        ".SH COMMANDS", *_commands(command, context, name),
        ".SH EXIT STATUS", "0 for success, 1 for a refusal or errors found, 2 for wrong usage, 130 for Ctrl-C.",
        ".SH FILES", ".TP", "~/.config/dovetail/credentials.json", "Logins, readable by their owner alone.",
        ".SH ENVIRONMENT",
        ".TP", "KUBECONFIG", "Which cluster publish, unpublish, dev, list and get speak to.",
        ".TP", "SOURCE_DATE_EPOCH", "The time inside of archives and indexes.",
    ]  # fmt: skip
    return "\n".join(lines)


def _commands(group: click.Group, context: click.Context, path: str) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        below = click.Context(command, info_name=name, parent=context)
        usage = " ".join(command.collect_usage_pieces(below))
        yield from (".SS", f"{path} {name} {_text(usage)}")
        yield from _paragraphs(command.help or "")
        for parameter in command.get_params(below):
            record = parameter.get_help_record(below)
            if record is not None and record[1] and not record[0].startswith(("-h,", "--help")):
                yield from (".TP", f"\\fB{_text(record[0])}\\fR", _text(record[1]) or "\\&")
        if isinstance(command, click.Group):
            yield from _commands(command, below, f"{path} {name}")


def _paragraphs(text: str) -> Iterator[str]:
    """Click's help: blank lines part paragraphs, `\\b` keeps the lines of one as they are."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip("\f") for line in paragraph.split("\n")]
        if "\b" in lines[0]:
            yield from (".PP", ".nf", *(_text(line) for line in lines[1:]), ".fi")
        else:
            yield from (".PP", _text(" ".join(line.strip() for line in lines)))


def _text(text: str) -> str:
    """Text in which roff finds nothing of its own."""
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
