"""Every code of a finding: what it says, why that matters, and how to put it right.

The table below is the only list of codes. `docs/ksbuilder-findings.md` is made from it (`page`), `ksbuilder explain`
and the SARIF output read it, and a test holds that no finding is made with a code that is not here.

A block a code: the code, one line that says what is found, why it matters, what to do.
"""

from typing import Final, NamedTuple

from dovetail.packaging.codes_of_manifests import BLOCKS as MANIFESTS
from dovetail.packaging.codes_of_packages import BLOCKS as PACKAGES

PAGE: Final = "docs/ksbuilder-findings.md"


class Explanation(NamedTuple):
    """What a code means. Plain sentences; `backticks` for code."""

    code: str
    title: str
    why: str
    fix: str


def _parse(blocks: str) -> list[Explanation]:
    return [Explanation(*block.strip().split("\n")) for block in blocks.strip().split("\n\n")]


CODES: Final = {one.code: one for one in sorted((*_parse(PACKAGES), *_parse(MANIFESTS)))}


def page() -> str:
    """The page of the documentation that explains every code."""
    head = (
        "# What ksbuilder finds\n\n"
        "`ksbuilder validate`, `lint` and `check` tell findings: a severity, a code, a place and a way out.\n"
        "`validate` says what keeps a package from being built or published; `lint` also renders it and looks at the\n"
        "objects; `check` looks at permissions, values, secrets, menus and bundles, too. An `error` makes the exit\n"
        "code 1, a `warning` only with `--strict`, a `note` never.\n\n"
        "```\n"
        "ksbuilder check greeter                         text for people\n"
        "ksbuilder check greeter -o json                 one JSON value\n"
        "ksbuilder check greeter -o sarif > check.sarif  for code scanning\n"
        "ksbuilder check greeter -o github               annotations of GitHub Actions\n"
        "ksbuilder explain image-unpinned                what is below, in the terminal\n"
        "```\n\n"
        "This page is made from `src/dovetail/packaging/codes.py`.\n"
    )
    return head + "".join(
        f"\n## {one.code}\n\n{one.title}\n\n{one.why}\n\n**What to do:** {one.fix}\n" for one in CODES.values()
    )
