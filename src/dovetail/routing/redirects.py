"""Redirects: requests that are answered with another address instead of being sent on.

A rule's pattern is that of a `rewrite` step (`rewriting`); the first rule that fits counts. In the target

    {path}    the path of the request, as the client sent it    {scheme}  http or https, as the client came
    {query}   its query, without the question mark               {host}    its Host header
    {uri}     path and query                                     {rest}    what the `*` at the end of the pattern took

A target that names no query keeps the request's; one that ends in `?` drops it. What stands before the first slash of
an absolute target (the host to go to) can only be text of the author, `{scheme}` and `{host}`: a client's path cannot
choose another host.
"""

import re
from typing import Final

from dovetail.routing.errors import BadStep
from dovetail.routing.rewriting import check_pattern, escaped, fits
from dovetail.routing.traffic import RedirectRule

STATUSES: Final = (301, 302, 303, 307, 308)
PLACEHOLDERS: Final = ("{path}", "{query}", "{uri}", "{rest}", "{host}", "{scheme}")
_PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}")
_ABSOLUTE: Final = re.compile(r"(?:https?|\{scheme\})://(?:[A-Za-z0-9.\-_:\[\]]|\{host\})+(?=[/?#]|\{path\}|\{uri\}|$)")
_LOCAL: Final = re.compile(r"/(?![/\\])|\{path\}|\{uri\}|\?")
_SLASHES: Final = re.compile(r"[/\\]{2,}")


def check(rule: RedirectRule) -> None:
    """Raise BadStep, with what to change, when a rule cannot be carried out."""
    check_pattern(rule.pattern)
    target = rule.target
    unknown = [name for name in _PLACEHOLDER.findall(target) if name not in PLACEHOLDERS]
    if unknown:
        raise BadStep(target, f"uses {unknown[0]}; known are {', '.join(PLACEHOLDERS)}")
    if not _ABSOLUTE.match(target) and not _LOCAL.match(target):
        raise BadStep(target, "must start with a slash, {path}, {uri}, ? or http(s)://host")
    if "{rest}" in target and not _has_rest(rule.pattern):
        raise BadStep(target, "uses {rest}, which needs a pattern with one star, at its end")
    if rule.status not in STATUSES:
        raise BadStep(str(rule.status), f"is no redirection; write one of {', '.join(map(str, STATUSES))}")


def find(rules: tuple[RedirectRule, ...], path: str) -> RedirectRule | None:
    """The rule that a path falls under."""
    return next((rule for rule in rules if fits(rule.pattern, path)), None)


def location(rule: RedirectRule, path: str, query: str, *, host: str, scheme: str) -> str:
    """Where the client is sent. Path and query are raw (percent-encoded), in and out."""
    uri = f"{path}?{query}" if query else path
    rest = path[len(rule.pattern) - 1 :] if _has_rest(rule.pattern) else ""
    values = {"{path}": path, "{query}": query, "{uri}": uri, "{rest}": rest, "{host}": host, "{scheme}": scheme}
    before, mark, fragment = rule.target.partition("#")
    place = _PLACEHOLDER.sub(lambda name: values.get(name[0], ""), before)
    if "?" not in before and "{uri}" not in before and query:
        place = f"{place}?{query}"
    if before.startswith("?"):
        place = path + place
    if not _ABSOLUTE.match(before):
        place = _SLASHES.sub("/", place, count=1) if _SLASHES.match(place) else place
    return escaped(place.removesuffix("?")) + mark + escaped(fragment)


def _has_rest(pattern: str) -> bool:
    return pattern.endswith("*") and not set(pattern[:-1]) & set("*?[\\")
