"""Values merge as Helm merges `--set` over `-f`."""

from dovetail.helm.values import merged, put


def test_maps_merge_and_everything_else_is_replaced() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert merged(base, {"a": {"c": [3]}, "d": {"e": 2}}) == {"a": {"b": 1, "c": [3]}, "d": {"e": 2}}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 1}


def test_put_makes_its_way() -> None:
    values: dict[str, object] = {"global": {"x": 1}, "flat": 2}
    put(values, "global.nodeSelector", {"a": "b"})
    put(values, "flat.enabled", False)
    assert values == {"global": {"x": 1, "nodeSelector": {"a": "b"}}, "flat": {"enabled": False}}
