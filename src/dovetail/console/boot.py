"""The boot document: all that the page needs to start, in one answer (reference/console.md 1.5, 5.5).

Built from what the store serves and from the ExtensionEntries; pure. The entries of an extension go to its first bundle
and replace that bundle's menus; an extension that has entries and no bundle gets a line without a url, so that its menu
is shown and nothing is loaded.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from dovetail.apis import labels
from dovetail.apis.dialects import ExtensionEntry
from dovetail.apis.extensions_v1alpha1 import GROUP
from dovetail.console.bundles.model import File, Outcome
from dovetail.console.bundles.planning import DISABLED, extension_of
from dovetail.console.identity import Caller
from dovetail.console.settings import ConsoleSettings

DIGEST_PARAMETER = "sha256"


class BootExtension(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One bundle to load. `url` is empty for an extension that only has entries."""

    name: str
    extension_name: str
    link: str
    url: str
    digest: str
    integrity: str
    resource_version: str
    style_link: str | None = None
    entries: tuple[dict[str, Any], ...] | None = None


class BootUser(msgspec.Struct, frozen=True):
    username: str
    groups: tuple[str, ...]


class BootConfig(msgspec.Struct, frozen=True, rename="camel"):
    title: str
    version: str
    languages: tuple[str, ...]
    default_language: str


class Boot(msgspec.Struct, frozen=True):
    """`token` is the event stream's `bundles` token for these extensions: equal tokens mean nothing to ask again."""

    user: BootUser
    config: BootConfig
    token: str
    extensions: tuple[BootExtension, ...]


_encoder = msgspec.json.Encoder()


def extensions_of(served: Iterable[Outcome], entries: Iterable[ExtensionEntry]) -> tuple[BootExtension, ...]:
    """The lines of all bundles that are served, with the entries of their extensions."""
    waiting = _entries_by_extension(entries)
    lines: list[BootExtension] = []
    for outcome in served:
        own = waiting.get(extension_of(outcome.plan.bundle))
        lines.append(_line(outcome, tuple(own) if own is not None else None))
        if own is not None:
            waiting[extension_of(outcome.plan.bundle)] = []
    lines += [_entries_only(name, items) for name, items in sorted(waiting.items()) if items]
    return tuple(lines)


def _entries_by_extension(entries: Iterable[ExtensionEntry]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in sorted(entries, key=lambda entry: entry.meta.name):
        if entry.status.state != DISABLED and not entry.meta.deleting:
            found.setdefault(entry.meta.labels.get(labels.EXTENSION_REF) or entry.meta.name, []).extend(entry.entries)
    return found


def _line(outcome: Outcome, entries: tuple[dict[str, Any], ...] | None) -> BootExtension:
    main, plan = outcome.main, outcome.plan
    assert isinstance(main, File)  # the store lists only bundles whose JavaScript is there
    style = outcome.parts.get(plan.style_link)
    return BootExtension(
        name=plan.id.name if plan.id.group == GROUP else f"{plan.id.group}/{plan.id.name}",
        extension_name=extension_of(plan.bundle),
        link=plan.main.link,
        url=versioned(plan.main.link, main),
        digest=f"sha256-{main.sha256}",
        integrity=main.integrity,
        resource_version=plan.bundle.meta.resource_version,
        style_link=versioned(plan.style_link, style) if isinstance(style, File) else None,
        entries=entries,
    )


def versioned(link: str, file: File) -> str:
    """The link with its digest: a URL whose bytes never change."""
    return f"{link}?{urlencode({DIGEST_PARAMETER: file.sha256})}"


def _entries_only(extension: str, entries: Sequence[Mapping[str, Any]]) -> BootExtension:
    items = tuple(dict(entry) for entry in entries)
    digest = hashlib.sha256(msgspec.json.encode(items)).hexdigest()
    return BootExtension(
        name=f"entries/{extension}",
        extension_name=extension,
        link="",
        url="",
        digest=f"sha256-{digest}",
        integrity="",
        resource_version="",
        entries=items,
    )


def boot_body(caller: Caller, settings: ConsoleSettings, extensions: tuple[BootExtension, ...]) -> bytes:
    """The document as JSON."""
    config = BootConfig(settings.title, settings.version, settings.languages, settings.default_language)
    user = BootUser(caller.username, caller.groups)
    return _encoder.encode(Boot(user, config, bundles_token(extensions), extensions))


def bundles_token(extensions: Sequence[BootExtension]) -> str:
    """Differs whenever a page has something to load or to drop; an object's version alone is no such thing."""
    stable = [msgspec.structs.replace(extension, resource_version="") for extension in extensions]
    return etag_of(_encoder.encode(stable)).strip('"')


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
