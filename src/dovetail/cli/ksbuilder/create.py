"""`ksbuilder create`: a new extension, from answers.

On a terminal it asks the five questions of the published tool for whatever no flag answers; an answer that will not do
is told at once and asked again. Without a terminal nothing is asked: a missing answer is wrong usage.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dovetail.cli.ksbuilder.errors import DirectoryTaken
from dovetail.cli.ksbuilder.reporting import output_option, print_json
from dovetail.cli.ksbuilder.subjects import read_subject, write_files
from dovetail.packaging.names import CATEGORIES
from dovetail.packaging.projects import answers as rules
from dovetail.packaging.projects.answers import LANGUAGES, OPENINGS, TEMPLATES, Answers
from dovetail.packaging.projects.errors import InvalidAnswer


@click.command(short_help="Make a new extension.")
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.option("--name", help="The extension's name.  [asked]")
@click.option("--category", help="Where it is listed.  [asked]")
@click.option("--author", help="Who makes it.  [asked]")
@click.option("--email", help="The author's e-mail address.  [asked, may be empty]")
@click.option("--url", help="The author's address on the web.  [asked, may be empty]")
@click.option("--template", type=click.Choice(TEMPLATES), default="standard", show_default=True, help="What it is.")
@click.option(
    "--backend", "language", type=click.Choice(LANGUAGES), default="python", show_default=True,
    help="The backend's language.",
)  # fmt: skip
@click.option(
    "--open", "opening", type=click.Choice(OPENINGS), default="iframe", show_default=True,
    help="How a simple extension or an app shows its target.",
)  # fmt: skip
@click.option("--target", default="", help="The address that a simple extension shows.")
@click.option(
    "--from", "chart", type=click.Path(path_type=Path, dir_okay=False), help="The .tgz of the chart that is the app."
)
@click.option("--service", default="", metavar="NAME:PORT", help="The Service of the app that its page shows.")
@click.option("--title", default="", help="The name that people read.  [default: from the name]")
@click.option("--title-zh", default="", help="The same in Chinese.")
@click.option("--description", default="", help="One line about it.")
@click.option("--description-zh", default="", help="The same in Chinese.")
@click.option("--group", default="", help="The API group of its backend.  [default: NAME.dovetail.dev]")
@output_option
def create(directory: Path | None, chart: Path | None, output: str, **given: Any) -> None:
    """Make a new extension in DIRECTORY (the name, if it is not given).

    \b
    standard   a page in TypeScript and a backend
    frontend   a page alone
    backend    a backend alone, in Python or Go
    simple     a menu entry: a page around an address (iframe), or a link to it
    app        a Helm chart, and a page that shows one of its Services

    What no flag answers is asked on a terminal.
    """
    asked: dict[str, Any] = {**given, **_ask(given)}
    data = b"" if chart is None else read_subject(chart)
    answers = Answers(**asked, chart=data if isinstance(data, bytes) else b"")
    from dovetail.packaging.projects.project import create as create_project

    files = create_project(answers)
    place = (directory or Path(answers.name)).absolute()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise DirectoryTaken(str(place))
    write_files(files, place)
    if output == "json":
        print_json({"name": answers.name, "template": answers.template, "path": str(place), "files": sorted(files)})
        return
    click.echo(f"Directory: {place}\n\nThe extension charts has been created.")
    click.echo(f"\nNext: cd {directory or answers.name} && ksbuilder dev")


def _ask(given: dict[str, Any]) -> dict[str, str]:
    """The answers to the questions that no flag answered. Raises UsageError without a terminal."""
    needed = [name for name in ("name", "category", "author") if not given[name]]
    if not needed:
        return {name: given[name] or "" for name in ("email", "url")}
    if not sys.stdin.isatty():
        missing = ", ".join(f"--{name}" for name in needed)
        raise click.UsageError(f"Give {missing}: there is no terminal to ask on.")
    answers = {name: given[name] or _prompt(name) for name in ("name", "category", "author")}
    return {**answers, **{name: given[name] if given[name] is not None else _prompt(name) for name in ("email", "url")}}


_QUESTIONS: dict[str, tuple[str, Callable[[str], None]]] = {
    "name": ("Please input extension name", rules.check_name),
    "category": ("Please select extension category", rules.check_category),
    "author": ("Please input extension author", rules.check_author),
    "email": ("Please input Email (optional)", rules.check_email),
    "url": ("Please input author's URL (optional)", lambda url: rules.check_url("--url", url)),
}


def _prompt(name: str) -> str:
    question, check = _QUESTIONS[name]
    optional = name in ("email", "url")
    if name == "category":
        for number, category in enumerate(CATEGORIES, 1):
            click.echo(f"  {number:>2}  {category}", err=True)

    def read(text: str) -> str:
        answer = _category(text.strip()) if name == "category" else text.strip()
        try:
            check(answer)
        except InvalidAnswer as error:
            raise click.BadParameter(str(error)) from error
        return answer

    return click.prompt(question, default="" if optional else None, show_default=False, value_proc=read, err=True)


def _category(text: str) -> str:
    """A category by its number or its name."""
    return CATEGORIES[int(text) - 1] if text.isdecimal() and 0 < int(text) <= len(CATEGORIES) else text
