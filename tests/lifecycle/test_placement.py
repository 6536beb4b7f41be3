"""Where agents run and with which values."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.dialects.install_plan import Scheduling
from dovetail.helm.values import merged
from dovetail.lifecycle.placement import UnreadableOverride, agent_config, agent_release, placed

CLUSTERS = {"edge": {"zone": "a", "gpu": "yes"}, "far": {"zone": "b"}, "bare": {}}


def scheduling(
    clusters: tuple[str, ...] = (), selector: dict[str, object] | None = None, **overrides: str
) -> Scheduling:
    return Scheduling(clusters=clusters, cluster_selector=selector, overrides=overrides)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (None, ()),
        (scheduling(), ()),
        (scheduling(("far", "edge", "far")), ("edge", "far")),
        (scheduling(("ghost",)), ("ghost",)),
        (scheduling(("bare",), {"matchLabels": {"zone": "a"}}), ("bare",)),
        (scheduling(selector={"matchLabels": {"zone": "a"}}), ("edge",)),
        (scheduling(selector={"matchExpressions": [{"key": "zone", "operator": "Exists"}]}), ("edge", "far")),
        (scheduling(selector={"matchExpressions": [{"key": "zone", "operator": "Sideways"}]}), ()),
        (scheduling(selector={"matchExpressions": [{"operator": "Exists"}]}), ()),
        (scheduling(selector={}), ("bare", "edge", "far")),
    ],
)
def test_names_win_over_the_selector(wish: Scheduling | None, expected: tuple[str, ...]) -> None:
    assert placed(wish, CLUSTERS) == expected


def test_an_override_is_merged_over_the_config_of_its_cluster_only() -> None:
    config = "image: {tag: one, pull: always}\nlist: [1, 2]\n"
    wish = scheduling(("edge",), edge="image: {tag: two}\nlist: [3]\n")
    assert yaml.safe_load(agent_config(config, wish, "edge")) == {
        "image": {"tag": "two", "pull": "always"},
        "list": [3],
    }
    assert agent_config(config, wish, "far") == config
    assert agent_config(config, None, "edge") == config
    assert agent_release("greeter") == "greeter-agent"


@pytest.mark.parametrize("override", ["- a list", "a: [", "text"])
def test_an_override_that_is_no_map_is_refused_with_its_cluster(override: str) -> None:
    with pytest.raises(UnreadableOverride, match="overrides of edge"):
        agent_config("", scheduling(edge=override), "edge")


_scalars = st.integers() | st.booleans() | st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=5)
_maps = st.recursive(
    st.dictionaries(st.sampled_from("abc"), _scalars, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | _scalars, max_size=3),
    max_leaves=8,
)


@given(_maps, _maps)
def test_merging_is_helms(config: dict[str, object], override: dict[str, object]) -> None:
    wish = scheduling(edge=yaml.safe_dump(override))
    text = agent_config(yaml.safe_dump(config), wish, "edge")
    assert yaml.safe_load(text) == merged(config, override)
