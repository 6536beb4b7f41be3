"""Random tables and requests, over few segments, so that routes meet."""

from hypothesis import strategies as st

from dovetail.routing.model import Match, Route, RouteTable

SEGMENTS = ("a", "b", "ab", "c.js", "")
METHODS = ("GET", "POST", "HEAD")


def paths(*, trailing: bool = True) -> st.SearchStrategy[str]:
    segments = SEGMENTS if trailing else SEGMENTS[:-1]
    return st.lists(st.sampled_from(segments), min_size=0, max_size=4).map(lambda parts: "/" + "/".join(parts))


def globs() -> st.SearchStrategy[str]:
    pieces = st.lists(st.sampled_from(("a", "b", "/", "*", "ab", "c.js")), min_size=1, max_size=5).map("".join)
    return pieces.map(lambda tail: f"/a/{tail}*b" if "*" not in tail else f"/a/{tail}")


def methods() -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(METHODS), max_size=2, unique=True).map(tuple)


def matches() -> st.SearchStrategy[Match]:
    return st.one_of(
        st.builds(Match, st.just("exact"), paths(), methods()),
        st.builds(Match, st.just("prefix"), paths(trailing=False), methods()),
        st.builds(Match, st.just("glob"), globs(), methods()),
    )


def tables() -> st.SearchStrategy[RouteTable]:
    return st.lists(matches(), max_size=25).map(
        lambda found: RouteTable(
            routes=tuple(Route(id=str(index), match=match, upstream="u") for index, match in enumerate(found))
        )
    )
