"""The import as a whole: text in, objects and notes out. Pure."""

from typing import Final

import msgspec

from dovetail.gateway.caddyfile import access
from dovetail.gateway.caddyfile.grammar import GLOBAL, parse
from dovetail.gateway.caddyfile.notes import Note, Notes
from dovetail.gateway.caddyfile.objects import Object, granted, mistake_in, name_of, reverse_proxy
from dovetail.gateway.caddyfile.sites import SiteReader
from dovetail.routing.errors import BadPattern
from dovetail.routing.paths import parse_pattern
from dovetail.routing.reserved import RESERVED_GROUPS, RESERVED_PATHS, Reserved

PLATFORM: Final = Reserved(frozenset(RESERVED_PATHS), RESERVED_GROUPS)
"""What the platform serves itself."""
NOTHING: Final = Reserved(frozenset(), frozenset())


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """Objects to apply, and what is to be said about lines that they do not hold."""

    objects: list[Object]
    notes: list[Note]


def import_caddyfile(
    text: str, file: str = "Caddyfile", *, prefix: str = "caddy", reserved: Reserved = PLATFORM
) -> Imported:
    """The objects that do what a Caddyfile says. Raises CaddyfileError. `prefix` begins every object's name."""
    notes = Notes()

    def why_not(path: str, method: str = "") -> str:
        try:
            match = parse_pattern(path if "*" in path else path.rstrip("/") or "/", (method,) if method else ())
        except BadPattern as error:
            return str(error)
        return _served_here(reserved.why_not(match)) if reserved.paths else ""

    reader = SiteReader(why_not, notes)
    for site in parse(text, file):
        if site.addresses == (GLOBAL,):
            notes.left_out(site.line, "{", "options of the server are options of dovetail")
            continue
        if site.addresses:
            notes.left_out(site.line, " ".join(site.addresses), "the gateway listens where --host and --port say")
        reader.read(site.directives)
    objects = _proxies(reader, file, prefix, notes) + _access(reader, file, prefix, notes)
    return Imported(objects=objects, notes=sorted(notes.found, key=lambda note: note.line))


def _served_here(why: str) -> str:
    what, _, way_out = why.partition("; ")
    return f"{what}, which serves it itself" if way_out else why


def _proxies(reader: SiteReader, file: str, prefix: str, notes: Notes) -> list[Object]:
    """The ReverseProxies that the gateway would take."""
    taken: set[str] = set()
    kept: list[Object] = []
    for route in reader.routes:
        obj = reverse_proxy(route, name_of(route.matcher, prefix, taken), file)
        if mistake := mistake_in(obj):
            notes.left_out(route.line, " ".join(route.matcher.patterns) or "/", mistake)
        else:
            kept.append(obj)
    return kept


def _access(reader: SiteReader, file: str, prefix: str, notes: Notes) -> list[Object]:
    objects: list[Object] = []
    if reader.anybody:
        objects += granted(f"{prefix}-anybody", reader.anybody, access.ANYBODY, file)
    if reader.any_user:
        objects += granted(f"{prefix}-any-user", reader.any_user, access.ANY_USER, file)
        why = f"as before, every signed-in user may use these; delete the GlobalRoleBinding {prefix}-any-user to end it"
        notes.differs(reader.any_user_line, "authentication", why)
    return objects
