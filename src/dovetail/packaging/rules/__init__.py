"""The rules: functions from an examined package to findings, in three levels.

    BASIC   files and metadata: `validate` has them beside what `build` and `read_package` refuse
    LINT    templates and rendered objects, images and platform settings: what `lint` adds
    DEEP    permissions, values, secrets, menus and bundles: what `check` adds

A rule is a function of `Examined` in the module of its noun; putting it into a table here is all that turns it on. A
code that it uses must be explained in `dovetail.packaging.codes`.
"""

from collections.abc import Callable, Iterator
from typing import Final

from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding
from dovetail.packaging.rules import (
    console,
    crds,
    files,
    images,
    metadata,
    objects,
    permissions,
    platform,
    sufficiency,
    templates,
    values,
)

Rule = Callable[[Examined], Iterator[Finding]]

BASIC: Final[tuple[Rule, ...]] = (
    metadata.category, metadata.languages, metadata.addresses, metadata.maintainers, metadata.vendor_versions,
    metadata.nested, files.screenshots, files.readme,
)  # fmt: skip
LINT: Final[tuple[Rule, ...]] = (
    templates.extensions, templates.release_time, templates.crd_hooks, templates.first_lines,
    *objects.RULES, crds.definitions, platform.objects, images.names, images.listed, images.registry, images.nodes,
    metadata.conditions,
)  # fmt: skip
DEEP: Final[tuple[Rule, ...]] = (
    files.secrets, files.unneeded, files.sizes, permissions.risks, permissions.groups, permissions.repeated,
    sufficiency.missing, sufficiency.escalation, sufficiency.unused, values.dead,
    console.bundles, console.links, console.menus,
)  # fmt: skip
