"""Rules about what the console loads and shows: bundles, their links, and menu entries."""

import re
from collections.abc import Iterator
from typing import Final

from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, error, warning
from dovetail.packaging.manifests import RenderedObject, items, mapping
from dovetail.packaging.preflight import preflight

SCOPES: Final = frozenset({"global", "access", "cluster", "workspace", "platformSettings", "toolbox", "devops"})
"""Mount points of the console (reference/console.md 2.4)."""
REMOVED_SCOPES: Final = {"topbar": "global", "project": "workspace"}
"""Gone since KubeSphere 4.2, with what took their place."""

_PARENT: Final = re.compile(rb"\bparent[\"']?\s*:\s*[\"']([\w.-]{1,80})[\"']")
_BUNDLE_START: Final = b"System.register"


def _bundles(examined: Examined) -> Iterator[tuple[str, str, bytes]]:
    """Every bundle that is a file of a chart, or lies in a rendered ConfigMap or JSBundle: place, what it is, bytes."""
    seen: set[bytes] = set()
    for path, data in examined.package.files.items():
        if path.startswith("charts/") and path.endswith(".js") and "/templates/" not in path:
            seen.add(data.strip())
            yield path, path.rpartition("/")[2], data
    for obj in examined.objects:
        for text in _scripts(obj):
            data = text.encode()
            if _BUNDLE_START in data[:4096] and data.strip() not in seen:
                seen.add(data.strip())
                yield obj.place, obj.title, data


def _scripts(obj: RenderedObject) -> Iterator[str]:
    if obj.kind == "ConfigMap":
        yield from (text for text in mapping(obj.value.get("data")).values() if isinstance(text, str))
    elif obj.kind == "JSBundle":
        yield str(mapping(obj.value.get("spec")).get("raw") or "")


def bundles(examined: Examined) -> Iterator[Finding]:
    """What a bundle imports must be what the console provides."""
    for place, what, data in _bundles(examined):
        bundle = preflight(data)
        if bundle.unreadable and (place.count(":") or "/files/" not in place):  # files are told without rendering, too
            fix = "Build it with a bundler that writes the system format"
            yield warning("bundle-unreadable", place, f"the header of {what} cannot be read: {bundle.unreadable}", fix)
        if examined.provided is None:
            continue
        for wanted in bundle.imports:
            offered = examined.provided.get(wanted.module)
            if offered is None:
                message = f"{what} imports {wanted.module}, which the console does not provide"
                yield warning("bundle-module-unknown", place, message, "Carry the module in the bundle")
            elif unknown := [name for name in wanted.names if offered and name not in offered]:
                message = f"{what} uses {', '.join(unknown)} of {wanted.module}, which the console's does not have"
                yield warning("bundle-export-unknown", place, message, "Use another, or carry the module in the bundle")


def links(examined: Examined) -> Iterator[Finding]:
    """A JSBundle is served below `/dist/<extension>`, where the extension is its label, or its package."""
    for obj in examined.objects:
        link = str(mapping(obj.value.get("status")).get("link") or "")
        owner = str(mapping(obj.metadata.get("labels")).get("kubesphere.io/extension-ref") or examined.package.name)
        if obj.kind == "JSBundle" and link and not link.startswith(f"/dist/{owner}"):
            message = f"the link {link} of {obj.title} is not below /dist/{owner}"
            yield error("bundle-link-invalid", obj.place, message, f"Use /dist/{owner}/index.js, or leave it out")


def menus(examined: Examined) -> Iterator[Finding]:
    """Menu entries of ExtensionEntries, and of bundles as far as their text shows them."""
    for obj in examined.objects:
        if obj.kind == "ExtensionEntry":
            for entry in map(mapping, items(mapping(obj.value.get("spec")).get("entries"))):
                yield from _parent(str(entry.get("parent") or ""), obj.place, obj.title)
    for place, what, data in _bundles(examined):
        for parent in sorted({match.decode() for match in _PARENT.findall(data)}) if b"menus" in data else ():
            yield from _parent(parent, place, what)


def _parent(parent: str, place: str, what: str) -> Iterator[Finding]:
    scope = parent.partition(".")[0]
    if scope in REMOVED_SCOPES:
        message = f"{what} puts a menu entry below {scope}, which KubeSphere 4.2 removed"
        yield warning("menu-parent-removed", place, message, f"Use {REMOVED_SCOPES[scope]}")
    elif scope and scope not in SCOPES:
        message = f"{what} puts a menu entry below {scope}, which is no mount point of the console"
        yield warning("menu-parent-unknown", place, message, f"Use one of {', '.join(sorted(SCOPES))}")
