"""Who follows whom, a Subscription or its plan."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.dialects import InstallPlan, install_plan
from dovetail.lifecycle.subscriptions import Follows, agreement, essence, follows, plan_spec, subscription_spec


def subscription(**spec: Any) -> dict[str, Any]:
    extension = {"extension": {"name": "seed", "version": "1.0.0"}}
    return {
        "apiVersion": "kubesphere.io/v1alpha1",
        "kind": "Subscription",
        "metadata": {"name": "one"},
        "spec": {**extension, **spec},
    }


def plan(**spec: Any) -> dict[str, Any]:
    return {**subscription(**spec), "kind": "InstallPlan", "metadata": {"name": "seed"}}


def read(obj: dict[str, Any]) -> InstallPlan:
    return install_plan(obj)


def test_spellings_and_defaults_say_the_same():
    as_map, as_text = subscription(config={"a": 1}), plan(config="a: 1\n", enabled=True, upgradeStrategy="Manual")
    assert essence(read(as_map)) == essence(read(as_text))
    assert essence(read(as_map)) != essence(read(plan(config="a: 2")))


@pytest.mark.parametrize(
    ("now_said", "now_planned", "who"),
    [
        ({}, {}, Follows.NOBODY),
        ({"enabled": False}, {}, Follows.PLAN),
        ({}, {"enabled": False}, Follows.SUBSCRIPTION),
        ({"enabled": False}, {"paused": True}, Follows.PLAN),
        ({}, {"extension": {"name": "other", "version": "1.0.0"}}, Follows.PLAN),
        ({}, {"extension": {"name": "seed", "version": "1.1.0"}}, Follows.SUBSCRIPTION),
    ],
)
def test_who_changed_leads(now_said: dict[str, Any], now_planned: dict[str, Any], who: Follows):
    agreed = agreement(read(subscription()), read(plan()))
    assert follows(read(subscription(**now_said)), read(plan(**now_planned)), agreed) is who


def test_without_a_memory_the_subscription_leads():
    assert follows(read(subscription()), read(plan()), "") is Follows.PLAN
    assert follows(read(subscription()), None, agreement(read(subscription()), read(plan()))) is Follows.PLAN


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab: -#'\"\n", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1), values, max_size=3), st.booleans(), st.booleans())
def test_there_and_back_again_says_the_same(config: dict[str, Any], enabled: bool, paused: bool):
    said = subscription(config=config, enabled=enabled, paused=paused)
    planned = plan(
        **{name: value for name, value in plan_spec(said["spec"], read(said)).items() if name != "extension"}
    )
    assert essence(read(planned)) == essence(read(said))
    back = {**said, "spec": subscription_spec(planned["spec"], said["spec"])}
    assert essence(read(back)) == essence(read(said))
    assert follows(read(back), read(planned), agreement(read(back), read(planned))) is Follows.NOBODY


def test_the_form_of_the_values_stays():
    assert subscription_spec({"config": "a: 1"}, {"config": {"b": 2}})["config"] == {"a": 1}
    assert subscription_spec({"config": "a: 1"}, {})["config"] == {"a": 1}
    assert subscription_spec({"config": "a: 1"}, {"config": "b: 2"})["config"] == "a: 1"
    assert subscription_spec({"config": "a: 2026-01-01"}, {})["config"] == "a: 2026-01-01"
    assert "config" not in subscription_spec({}, {"config": {"b": 2}})
