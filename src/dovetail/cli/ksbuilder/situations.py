"""The options of commands that render: the user's values, the version of Kubernetes, what `lookup` finds.

`situation_options` decorates a command; the values come in as `**options`, and `situation` makes a `Situation` of them.
The flags are Helm's where Helm has them.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from dovetail.cli.ksbuilder.check_errors import FileUnreadable, FixturesUnreadable, InvalidKubernetesVersion
from dovetail.cli.ksbuilder.rendering import Situation
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.packaging.errors import InvalidVersion
from dovetail.packaging.examined import NEWEST_KUBERNETES
from dovetail.packaging.manifests import load_objects
from dovetail.packaging.versions import Version
from dovetail.packaging.yaml11 import load

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)

_VALUES = (
    click.option("-f", "--values", "value_files", type=_FILE, multiple=True, help="A file of values. Repeatable."),
    click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set a value, as in Helm. Repeatable."),
    click.option("--set-string", "set_strings", multiple=True, metavar="KEY=VALUE", help="Set a text."),
    click.option("--set-json", "set_jsons", multiple=True, metavar="KEY=JSON", help="Set a JSON value."),
    click.option("--set-literal", "set_literals", multiple=True, metavar="KEY=VALUE", help="Set a text as it stands."),
    click.option("--set-file", "set_files", multiple=True, metavar="KEY=FILE", help="Set a text from a file."),
)
_WORLD = (
    click.option("--kube-version", default=NEWEST_KUBERNETES, show_default=True, help="Kubernetes to render for."),
    click.option("-a", "--api-versions", multiple=True, metavar="GROUP/VERSION[/KIND]", help="What it serves, too."),
    click.option(
        "--lookup", "lookups", type=_FILE, multiple=True, metavar="FILE", help="Objects that `lookup` finds (YAML)."
    ),
)
_PLATFORM = (
    click.option("-n", "--namespace", default="", help="Namespace. [default: the extension's own]"),
    click.option("--image-registry", default="", help="global.imageRegistry, as the platform sets it."),
    click.option("--node-selector", multiple=True, metavar="LABEL=VALUE", help="global.nodeSelector. Repeatable."),
    click.option("--ingress-domain", default="", help="global.extension.ingress.domainSuffix."),
    click.option("--portal-url", default="", help="global.portal.url."),
)


def values_options(command: F) -> F:
    """The values and the world, for lint and check."""
    for option in reversed((*_VALUES, *_WORLD)):
        command = option(command)
    return command


def situation_options(command: F) -> F:
    """All of them, for template and diff."""
    for option in reversed((*_VALUES, *_WORLD, *_PLATFORM)):
        command = option(command)
    return command


def situation(options: Mapping[str, Any]) -> Situation:
    """The situation that the options describe. Raises CommandError, InvalidYaml, UsageError."""
    ingress = {"domainSuffix": options["ingress_domain"]} if options.get("ingress_domain") else {}
    selector = dict(_pair("--node-selector", entry) for entry in options.get("node_selector", ()))
    return Situation(
        kube_version=f"v{kubernetes_version(options['kube_version'])}",
        api_versions=options["api_versions"],
        files=tuple(map(_values, options["value_files"])),
        sets=_assignments(options),
        fixtures=[obj for path in options["lookups"] for obj in _fixtures(path)],
        namespace=options.get("namespace", ""),
        settings=LifecycleSettings(
            image_registry=options.get("image_registry", ""),
            node_selector=selector,
            ingress=ingress,
            portal_url=options.get("portal_url", ""),
        ),
    )


def kubernetes_version(text: str) -> Version:
    """1.29, v1.29.3, 1.30.0-tke.1. Raises InvalidKubernetesVersion."""
    try:
        return Version.parse(text)
    except InvalidVersion as error:
        raise InvalidKubernetesVersion(text) from error


def _assignments(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """In Helm's order: JSON, plain, text, from files, literal."""
    flags = (("set-json", "set_jsons"), ("set", "sets"), ("set-string", "set_strings"))
    given = [(flag, text) for flag, name in flags for text in options[name]]
    for text in options["set_files"]:
        key, file = _pair("--set-file", text)
        given.append(("set-literal", f"{key}={_text(Path(file))}"))
    return (*given, *(("set-literal", text) for text in options["set_literals"]))


def _pair(option: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.UsageError(f"{option} {text} is no KEY=VALUE.")
    return key, value


def _values(path: Path) -> str:
    """A file of values; its faults are told with its name before Helm sees it. Raises FileUnreadable, InvalidYaml."""
    text = _text(path)
    load(text.encode(), str(path))
    return text


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise FileUnreadable(str(path)) from error


def _fixtures(path: Path) -> list[Mapping[str, Any]]:
    try:
        return load_objects(_text(path))
    except ValueError as error:
        raise FixturesUnreadable(str(path), str(error)) from error
