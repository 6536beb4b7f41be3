"""Matching: which route of a table takes a request.

The table is in order of precedence and the first route that takes the request is the right one; `takes` says what that
means for one route. `Matcher` gives the same answer without a scan: whole paths in a dictionary, prefixes in a trie of
segments, globs at the trie node of their literal leading segments. Its cost grows with the depth of the path, not with
the number of routes.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

from dovetail.routing.edits import edit_between
from dovetail.routing.globs import Glob
from dovetail.routing.model import Match, Route, RouteTable

_Entry = tuple[int, frozenset[str] | None, Route]
_GlobEntry = tuple[int, frozenset[str] | None, Route, Glob]
_GAP: Final = 1 << 256
_NONE: Final = 1 << 1024
_FEW, _PART = 32, 8
"""More changes than these, and this part of the table, are not worth the sharing."""


def takes(match: Match, method: str, path: str) -> bool:
    """Whether a match takes a request: the definition, which `Matcher` answers faster."""
    if match.methods and method not in match.methods:
        return False
    if match.kind == "exact":
        return path == match.path
    if not path.startswith("/"):
        return False
    if match.kind == "glob" and "*" in match.path:
        return Glob(match.path).matches(path)
    prefix = match.path.rstrip("/")
    return path == prefix or path.startswith(prefix + "/")


class _Node:
    __slots__ = ("children", "globs", "prefixes")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.prefixes: list[_Entry] = []
        self.globs: list[_GlobEntry] = []

    def copy(self) -> "_Node":
        """A node of its own with the same children."""
        made = _Node()
        made.children, made.prefixes, made.globs = self.children.copy(), self.prefixes.copy(), self.globs.copy()
        return made

    @property
    def empty(self) -> bool:
        return not (self.children or self.prefixes or self.globs)


class Matcher:
    """A table made ready for lookups. Immutable once made; `find` may be called from any thread.

    Entries are compared by rank: a number that grows with the place in the table. `following` makes the matcher of a
    later table out of this one. They share what is alike, which ranks with room between them make possible.
    """

    __slots__ = ("_exact", "_fresh", "_ranks", "_root", "_routes")

    def __init__(self, table: RouteTable) -> None:
        self._exact: dict[str, list[_Entry]] = {}
        self._root = _Node()
        self._fresh: dict[int, _Node] | None = None
        self._routes = table.routes
        self._ranks = [place * _GAP for place in range(len(table.routes))]
        for rank, route in zip(self._ranks, table.routes, strict=True):
            self._add(rank, route)

    def following(self, table: RouteTable) -> "Matcher":
        """The matcher of another table; cheap when few routes differ."""
        edit = edit_between(self._routes, table.routes)
        if edit.size > _FEW + len(table.routes) // _PART:
            return Matcher(table)
        made = object.__new__(Matcher)
        made._routes, made._ranks = table.routes, self._ranks.copy()
        made._exact, made._root, made._fresh = self._exact.copy(), self._root, {}
        for place in reversed(edit.removed):
            made._drop(made._ranks.pop(place), self._routes[place])
        for place, route in edit.inserted:
            rank = _between(made._ranks, place)
            if rank is None:
                return Matcher(table)
            made._ranks.insert(place, rank)
            made._add(rank, route)
        made._fresh = None
        return made

    def find(self, method: str, raw_path: str) -> Route | None:
        """The route that takes a request, or None. `raw_path` is the path as received, without the query."""
        best, found = _NONE, None
        for index, methods, route in self._exact.get(raw_path, ()):
            if methods is None or method in methods:
                best, found = index, route
                break
        if not raw_path.startswith("/"):
            return found
        node: _Node | None = self._root
        for segment in raw_path.split("/")[1:]:
            if node.prefixes or node.globs:
                best, found = _better(node, method, raw_path, best, found)
            node = node.children.get(segment)
            if node is None:
                return found
        if node.prefixes or node.globs:
            best, found = _better(node, method, raw_path, best, found)
        return found

    def _add(self, rank: int, route: Route) -> None:
        match = route.match
        methods = frozenset(match.methods) or None
        if match.kind == "exact":
            entries = self._exact.get(match.path, ())
            self._exact[match.path] = _with(entries, (rank, methods, route))
        elif match.kind == "glob" and "*" in match.path:
            node = self._path(match)[-1]
            node.globs = _with(node.globs, (rank, methods, route, Glob(match.path)))
        else:
            node = self._path(match)[-1]
            node.prefixes = _with(node.prefixes, (rank, methods, route))

    def _drop(self, rank: int, route: Route) -> None:
        match = route.match
        if match.kind == "exact":
            kept = _without(self._exact.pop(match.path), rank)
            if kept:
                self._exact[match.path] = kept
            return
        nodes = self._path(match)
        node = nodes[-1]
        node.prefixes, node.globs = _without(node.prefixes, rank), _without(node.globs, rank)
        segments = _literal(match).split("/")[1:]
        while nodes[-1].empty and len(nodes) > 1:
            del nodes[-2].children[segments[len(nodes) - 2]]
            nodes.pop()

    def _path(self, match: Match) -> list[_Node]:
        """The nodes from the root to that of a match, which may be changed: made when they are missing, copied when
        they belong to another matcher, too."""
        self._root = node = self._own(self._root)
        nodes = [node]
        for segment in _literal(match).split("/")[1:]:
            child = node.children.get(segment)
            node.children[segment] = node = self._own(child)
            nodes.append(node)
        return nodes

    def _own(self, node: _Node | None) -> _Node:
        if node is not None and (self._fresh is None or id(node) in self._fresh):
            return node
        made = node.copy() if node is not None else _Node()
        if self._fresh is not None:
            self._fresh[id(made)] = made
        return made


def _literal(match: Match) -> str:
    """The path of the node at which a match lies."""
    if match.kind == "glob" and "*" in match.path:
        return match.path.partition("*")[0].rpartition("/")[0]
    return match.path.rstrip("/")


def _between(ranks: list[int], place: int) -> int | None:
    """A rank for what comes to lie at a place. New routes tend to follow one another, so more room is left behind."""
    if place == len(ranks):
        return ranks[-1] + _GAP if ranks else 0
    if not place:
        return ranks[0] - _GAP
    room = ranks[place] - ranks[place - 1]
    return ranks[place - 1] + max(room >> 4, 1) if room > 1 else None


_AnyEntry = TypeVar("_AnyEntry", _Entry, _GlobEntry)


def _with(entries: Sequence[_AnyEntry], entry: _AnyEntry) -> list[_AnyEntry]:
    if not entries or entries[-1][0] < entry[0]:
        return [*entries, entry]
    at = next(at for at, each in enumerate(entries) if each[0] > entry[0])
    return [*entries[:at], entry, *entries[at:]]


def _without(entries: list[_AnyEntry], rank: int) -> list[_AnyEntry]:
    return [each for each in entries if each[0] != rank]


def _better(node: _Node, method: str, path: str, best: int, found: Route | None) -> tuple[int, Route | None]:
    """The earliest route of a node that takes the request, if it is earlier than the best so far."""
    for index, methods, route in node.prefixes:
        if index >= best:
            break
        if methods is None or method in methods:
            best, found = index, route
            break
    for index, methods, route, glob in node.globs:
        if index >= best:
            break
        if (methods is None or method in methods) and glob.matches(path):
            best, found = index, route
            break
    return best, found
