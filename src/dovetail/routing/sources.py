"""Sources: foreign objects, as a watch delivers them, sorted and read into what the compiler takes.

One that cannot be read becomes problems and spoils nothing else.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import msgspec

from dovetail.apis.dialects import APIService, ReverseProxy, api_service, reverse_proxy
from dovetail.apis.errors import InvalidObject
from dovetail.routing.problems import Problem, unreadable


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Models of the objects that could be read, and problems of those that could not."""

    api_services: tuple[APIService, ...] = ()
    reverse_proxies: tuple[ReverseProxy, ...] = ()
    problems: tuple[Problem, ...] = ()


_READERS: dict[str, Callable[[Mapping[str, Any]], APIService | ReverseProxy]] = {
    "APIService": api_service,
    "ReverseProxy": reverse_proxy,
}


def read_object(obj: Mapping[str, Any]) -> APIService | ReverseProxy | list[Problem]:
    """The model of one APIService or ReverseProxy of either group, or its problems."""
    kind = obj.get("kind")
    try:
        return _READERS.get(kind if isinstance(kind, str) else "", api_service)(obj)
    except InvalidObject as error:
        return unreadable(_text(obj.get("apiVersion")), _uid(obj), error)


def read_objects(objects: Iterable[Mapping[str, Any]]) -> Sources:
    """All APIServices and ReverseProxies among objects, in the order given."""
    read = [read_object(obj) for obj in objects]
    return Sources(
        api_services=tuple(model for model in read if isinstance(model, APIService)),
        reverse_proxies=tuple(model for model in read if isinstance(model, ReverseProxy)),
        problems=tuple(problem for problems in read if isinstance(problems, list) for problem in problems),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _uid(obj: Mapping[str, Any]) -> str:
    metadata = obj.get("metadata")
    return _text(cast("Mapping[str, Any]", metadata).get("uid")) if isinstance(metadata, Mapping) else ""
