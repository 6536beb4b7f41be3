"""The table that is kept in step says after any history what the full compiler says of the objects that are left."""

import string
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.apis.dialects import APIService, ReverseProxy
from dovetail.routing.compiler import CompilerInput, claims_of, compile_table, reserved_by, resolve_backend
from dovetail.routing.live import LiveTable
from dovetail.routing.model import Match, Route, Upstream
from dovetail.routing.problems import Problem
from dovetail.routing.sources import read_objects
from tests.routing.objects import EARLY, LATE, api_service, reverse_proxy

BASE = CompilerInput(
    routes=(
        Route(id="builtin/console", match=Match("prefix", "/"), upstream="console", access="public"),
        Route(id="builtin/api", match=Match("prefix", "/api"), upstream="console"),
    ),
    upstreams=(Upstream(key="console", authority="console"),),
)
_PATTERNS = ("/a", "/a/*", "/a/b", "/a/b/*", "/a/*.js", "/a/b*c", "/a/*b/c", "/x/*/y*", "/x/*", "/api/x", "bad",
             "/a/b* GET", "/a/b* POST", "/a/b/* GET")  # fmt: skip


def _objects(names: str) -> st.SearchStrategy[Any]:
    created, name = st.sampled_from((EARLY, LATE, "")), st.sampled_from(names)
    backends = st.sampled_from(("http://one", "http://two", "http://three/base"))
    proxies = st.builds(
        lambda name, created, patterns, url: reverse_proxy(
            *patterns, name=name, created=created, upstream={"url": url}
        ),
        name, created, st.lists(st.sampled_from(_PATTERNS), min_size=1, max_size=4), backends,
    )  # fmt: skip
    services = st.builds(
        lambda name, created, group, url: api_service(f"{group}.dev", name=name, created=created, url=url),
        name.map(lambda one: f"s{one}"), created, st.sampled_from("ab"), backends,
    )  # fmt: skip
    return st.one_of(proxies, services)


def _models(objects: list[Any]) -> list[APIService | ReverseProxy]:
    sources = read_objects(objects)
    return [*sources.api_services, *sources.reverse_proxies]


def _put(live: LiveTable, model: APIService | ReverseProxy) -> None:
    live.put(claims_of(model, resolve_backend(model.backend, {}), reserved_by(BASE), BASE.certificate))


def _full(models: list[APIService | ReverseProxy]) -> tuple[Any, list[Problem]]:
    found = compile_table(
        msgspec.structs.replace(
            BASE,
            api_services=tuple(one for one in models if isinstance(one, APIService)),
            reverse_proxies=tuple(one for one in models if isinstance(one, ReverseProxy)),
        )
    )
    return found.table, found.problems


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(_objects("klmno"), st.sampled_from("klmno")), max_size=25))
def test_any_history_ends_in_the_table_that_is_compiled_at_once(history: list[Any]) -> None:
    live = LiveTable(BASE)
    there: dict[str, APIService | ReverseProxy] = {}
    for step in history:
        if isinstance(step, str):
            for object_id in [each for each in there if each.endswith(f"/{step}")]:
                live.remove(object_id)
                del there[object_id]
        for model in _models([step]) if not isinstance(step, str) else ():
            there[model.meta.id] = model
            _put(live, model)

    table, problems = _full(list(there.values()))
    assert live.table() == table
    assert live.problems() == problems
    for object_id, model in there.items():
        assert live.problems_of(object_id) == [each for each in problems if each.uid == model.meta.uid]
        assert live.is_routed(object_id) == any(route.id.partition("#")[0] == object_id for route in table.routes)


@settings(max_examples=60, deadline=None)
@given(st.lists(_objects("klmno"), max_size=12), _objects("klmno"))
def test_whoever_has_something_new_to_hear_is_named(before: list[Any], change: Any) -> None:
    live = LiveTable(BASE)
    models = {model.meta.id: model for model in _models(before)}
    for model in models.values():
        _put(live, model)
    live.told()
    old = {key: live.problems_of(key) for key in models}
    for model in _models([change]):
        _put(live, model)
        models[model.meta.id] = model
        differ = {key for key in models if live.problems_of(key) != old.get(key, [])}
        assert differ <= live.told()


def test_routes_that_did_not_change_are_the_same_objects() -> None:
    live = LiveTable(BASE)
    for model in _models([reverse_proxy(f"/{name}/*", name=name) for name in string.ascii_lowercase[:10]]):
        _put(live, model)
    before = live.table()
    for model in _models([reverse_proxy("/new/*", name="new")]):
        _put(live, model)
    known = {id(route) for route in before.routes}
    assert [route.id for route in live.table().routes if id(route) not in known] == [
        "ReverseProxy.extensions.kubesphere.io/new"
    ]
    assert len(before.routes) + 1 == len(live.table().routes), "the older table is a value of its own"
