"""The cache: whatever happens, what handlers were told adds up to what is in it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dovetail.kube.lister import Change, Store
from dovetail.kube.objects import Key, key_of, uid_of
from tests.kube.canned import configmap

NAMES = st.sampled_from(["a", "b", "c"])
NAMESPACES = st.sampled_from(["n1", "n2"])
OBJECTS = st.builds(
    lambda name, namespace, uid, version, color: {
        **configmap(name, version, namespace, uid=f"{name}{uid}"),
        "data": {"color": color},
    },
    NAMES, NAMESPACES, st.integers(1, 2), st.integers(1, 5), st.sampled_from(["red", "blue"]),
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), OBJECTS),
        st.tuples(st.just("discard"), OBJECTS),
        st.tuples(st.just("replace"), st.lists(OBJECTS, unique_by=key_of, max_size=6)),
    ),
    max_size=15,
)


def by_color(obj: dict[str, Any]) -> list[str]:
    return [obj["data"]["color"]]


def follow(told: dict[Key, Any], changes: list[Change]) -> None:
    """What a handler would keep; asserts that the changes are possible ones."""
    for change in changes:
        key = key_of(change.new)
        assert (change.type == "ADDED") == (key not in told)
        assert told.get(key) is change.old
        if change.type == "DELETED":
            assert uid_of(change.old or {}) == uid_of(change.new)
            del told[key]
        else:
            if change.type == "MODIFIED":
                assert uid_of(change.old or {}) == uid_of(change.new)
            told[key] = change.new


@given(STEPS)
def test_changes_indexes_and_content_agree(steps: list[tuple[str, Any]]) -> None:
    store = Store({"color": by_color})
    told: dict[Key, Any] = {}
    for method, argument in steps:
        follow(told, getattr(store, method)(argument))
        assert {key_of(obj): obj for obj in store} == told
        for namespace in ("n1", "n2", "n3"):
            expected = {k for k in told if k.namespace == namespace}
            assert {key_of(obj) for obj in store.list(namespace)} == expected
        for color in ("red", "blue"):
            expected = {k for k, obj in told.items() if obj["data"]["color"] == color}
            assert {key_of(obj) for obj in store.by_index("color", color)} == expected


@given(st.lists(OBJECTS, unique_by=key_of), st.lists(OBJECTS, unique_by=key_of))
def test_replace_leaves_exactly_the_new_list(before: list[Any], after: list[Any]) -> None:
    store = Store()
    store.replace(before)
    store.replace(after)
    assert {key_of(o) for o in store} == {key_of(o) for o in after}
    assert {uid_of(o) for o in store} == {uid_of(o) for o in after}


def test_the_same_version_again_is_no_change() -> None:
    store = Store()
    assert [c.type for c in store.put(configmap("a", 1))] == ["ADDED"]
    assert store.put(configmap("a", 1)) == []
    assert [c.type for c in store.put(configmap("a", 2))] == ["MODIFIED"]


def test_another_uid_under_the_same_name_is_a_deletion_and_an_addition() -> None:
    store = Store()
    store.put(configmap("a", 1, uid="1"))
    assert [(c.type, uid_of(c.new)) for c in store.put(configmap("a", 5, uid="2"))] == [
        ("DELETED", "1"),
        ("ADDED", "2"),
    ]


def test_indexes_added_later_file_what_is_there_and_failing_ones_hurt_nobody(caplog: Any) -> None:
    store = Store()
    store.put(configmap("a", 1, color="red"))
    store.add_indexers({"color": by_color, "broken": lambda obj: obj["no"]["such"]})
    store.put(configmap("b", 2))
    assert [key_of(obj).name for obj in store.by_index("color", "red")] == ["a"]
    assert store.by_index("broken", "x") == []
    assert store.discard(configmap("a", 3)) != []
    assert "the index broken cannot file default/a" in caplog.text


def test_reading() -> None:
    store = Store()
    labelled = configmap("a", 1)
    labelled["metadata"]["labels"] = {"app": "web"}
    store.replace([labelled, configmap("b", 2, "other")])
    assert store.get("a", "default") is labelled
    assert store.get("a") is None
    assert store.by_key(Key("other", "b")) is not None
    assert [key_of(o).name for o in store.list(selector={"app": "web"})] == ["a"]
    assert len(store) == len(store.list()) == 2
