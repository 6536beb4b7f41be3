"""Values that the platform injects (reference/kubesphere-core.md 2.4)."""

from typing import Any

from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.values import injected_values
from dovetail.packaging.metadata import Dependency


def test_tags_and_cluster_info() -> None:
    assert injected_values(LifecycleSettings(), []) == {
        "tags": {"extension": True, "agent": False},
        "global": {"clusterInfo": {"name": "host", "role": "host"}},
    }


def test_settings_of_the_platform() -> None:
    settings = LifecycleSettings(
        portal_url="https://portal.test",
        image_registry="registry.test",
        node_selector={"a.b/c": "d"},
        ingress={"ingressClassName": "nginx", "httpPort": 80},
    )
    values: dict[str, Any] = injected_values(settings, [])["global"]
    assert values["portal"] == {"url": "https://portal.test"}
    assert values["imageRegistry"] == "registry.test"
    assert values["nodeSelector"] == {"a.b/c": "d"}
    assert values["extension"]["ingress"] == {"ingressClassName": "nginx", "httpPort": 80}


def test_a_condition_of_an_agents_chart_is_switched_off() -> None:
    dependencies = [
        Dependency(name="front", tags=("extension",), condition="front.enabled"),
        Dependency(name="agent", tags=("agent",), condition="agent.enabled, global.agents"),
        Dependency(name="both", tags=("agent", "extension"), condition="both.enabled"),
        Dependency(name="plain", condition="plain.enabled"),
    ]
    values = injected_values(LifecycleSettings(), dependencies)
    assert values["agent"] == {"enabled": False}
    assert values["global"]["agents"] is False
    assert not {"front", "both", "plain"} & values.keys()
