"""The `ksbuilder` command: package, check and publish extensions.

The tool that extension authors know, with the same words (reference/ksbuilder.md 1). Each command lives in a module
that is imported when it is called: `ksbuilder package` must not wait for a Kubernetes client. What the commands share:
a refusal is one red sentence on stderr with the way out and exit code 1 (2 for wrong usage), results go to stdout, as
text or, with `--output json`, as one JSON value; warnings go to stderr.
"""

import click

from dovetail import __version__
from dovetail.cli.entry import enter
from dovetail.cli.lazy import LazyGroup

_COMMANDS = {
    "create": "dovetail.cli.ksbuilder.create:create",
    "dev": "dovetail.cli.ksbuilder.dev:dev",
    "test": "dovetail.cli.ksbuilder.trial:test",
    "package": "dovetail.cli.ksbuilder.package:package",
    "validate": "dovetail.cli.ksbuilder.validate:validate",
    "lint": "dovetail.cli.ksbuilder.lint:lint",
    "check": "dovetail.cli.ksbuilder.check:check",
    "template": "dovetail.cli.ksbuilder.template:template",
    "diff": "dovetail.cli.ksbuilder.diff:diff",
    "schema": "dovetail.cli.ksbuilder.schema:schema",
    "explain": "dovetail.cli.ksbuilder.explain:explain",
    "category": "dovetail.cli.ksbuilder.explain:category",
    "publish": "dovetail.cli.ksbuilder.publish:publish",
    "unpublish": "dovetail.cli.ksbuilder.unpublish:unpublish",
    "push": "dovetail.cli.ksbuilder.push:push",
    "pull": "dovetail.cli.ksbuilder.pull:pull",
    "index": "dovetail.cli.ksbuilder.index:index",
    "serve": "dovetail.cli.ksbuilder.serve:serve",
    "bundle": "dovetail.cli.ksbuilder.bundle:bundle",
    "list": "dovetail.cli.ksbuilder.listing:list_packages",
    "get": "dovetail.cli.ksbuilder.listing:get_package",
    "login": "dovetail.cli.ksbuilder.login:login",
    "logout": "dovetail.cli.ksbuilder.login:logout",
    "completion": "dovetail.cli.ksbuilder.completion:completion",
    "man": "dovetail.cli.ksbuilder.manual:man",
    "version": "dovetail.cli.ksbuilder.version:version",
}


class _Commands(LazyGroup):
    places = _COMMANDS


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-v", "--version", prog_name="ksbuilder")
def ksbuilder() -> None:
    """Make, check, publish and carry extensions of Dovetail and KubeSphere.

    An extension is a directory with an extension.yaml:

    \b
      ksbuilder create --name greeter       make a new one
      ksbuilder dev greeter                 install it, and again whenever a file changes
      ksbuilder check greeter               say what is wrong with it
      ksbuilder test greeter                install it on a platform of its own, and open its pages
      ksbuilder package greeter             write greeter-0.1.0.tgz
      ksbuilder publish greeter-0.1.0.tgz   make it known to the platform

    Results go to stdout, as JSON with --output json; what is said about them goes to stderr. Exit code 1 means a
    refusal, 2 wrong usage.
    """


def main() -> None:
    """Run the command and leave with its exit code."""
    enter(ksbuilder, "ksbuilder")
