"""Errors of this room. They describe a mistake in what an author wrote, or a request that a rewrite cannot take.

RoutingError
+-- BadPattern      a path pattern that cannot be matched
+-- BadStep         a rewrite step that cannot be run
|   +-- BadRegexp   ... because of its regular expression
+-- PathTooLong     a request's path is longer than a regular expression may be asked to look at (answer 414)
"""


class RoutingError(Exception):
    """Root of the errors of `dovetail.routing`."""


class BadPattern(RoutingError):
    """A path pattern that cannot be matched; the sentence says what to write."""

    def __init__(self, pattern: str, why: str) -> None:
        self.pattern = pattern
        self.why = why
        super().__init__(f"{pattern[:120]!r} {why}")


class BadStep(RoutingError):
    """A rewrite step that cannot be run."""

    def __init__(self, text: str, why: str) -> None:
        self.text = text
        self.why = why
        super().__init__(f"{text[:120]!r} {why}")


class BadRegexp(BadStep):
    """A regular expression outside of what is accepted: RE2 syntax whose work is bounded."""


class PathTooLong(RoutingError):
    """A path longer than a regular expression may be asked to look at."""

    def __init__(self, length: int, limit: int) -> None:
        self.length = length
        self.limit = limit
        super().__init__(f"the path has {length} characters; the route's expression looks at {limit} at most")
