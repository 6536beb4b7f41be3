"""Matching: which route of a table takes a request.

The table is in order of precedence and the first route that takes the request is the right one; `takes` says what that
means for one route. `Matcher` gives the same answer without a scan: whole paths in a dictionary, prefixes in a trie of
segments, globs at the trie node of their literal leading segments. Its cost grows with the depth of the path, not with
the number of routes.
"""

from typing import Final

from dovetail.routing.globs import Glob
from dovetail.routing.model import Match, Route, RouteTable

_Entry = tuple[int, frozenset[str] | None, Route]
_GlobEntry = tuple[int, frozenset[str] | None, Route, Glob]
_NONE: Final = 1 << 62


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


class Matcher:
    """A table made ready for lookups. Immutable once made; `find` may be called from any thread."""

    __slots__ = ("_exact", "_root")

    def __init__(self, table: RouteTable) -> None:
        self._exact: dict[str, list[_Entry]] = {}
        self._root = _Node()
        for index, route in enumerate(table.routes):
            self._add(index, route)

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

    def _add(self, index: int, route: Route) -> None:
        match = route.match
        methods = frozenset(match.methods) or None
        if match.kind == "exact":
            self._exact.setdefault(match.path, []).append((index, methods, route))
        elif match.kind == "glob" and "*" in match.path:
            literal = match.path.partition("*")[0].rpartition("/")[0]
            self._node(literal).globs.append((index, methods, route, Glob(match.path)))
        else:
            self._node(match.path.rstrip("/")).prefixes.append((index, methods, route))

    def _node(self, prefix: str) -> _Node:
        node = self._root
        for segment in prefix.split("/")[1:]:
            node = node.children.setdefault(segment, _Node())
        return node


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
