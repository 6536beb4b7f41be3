"""Label selectors."""

import pytest

from dovetail.kube import format_selector, matches

LABELS = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("selector", "expected", "text"),
    [
        ({}, True, ""),
        ({"app": "web"}, True, "app=web"),
        ({"app": "db"}, False, "app=db"),
        ({"tier": "front", "app": "web"}, True, "app=web,tier=front"),
        ({"matchLabels": {"app": "web"}}, True, "app=web"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "x"]}]}, True, "app in (web,x)"),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False, "app notin (web)"),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, True, "zone notin (a)"),
        ({"matchExpressions": [{"key": "zone", "operator": "Exists"}]}, False, "zone"),
        ({"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}, True, "!zone"),
        (
            {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]},
            True,
            "app=web,tier",
        ),
    ],
)
def test_matching_and_writing(selector: dict, expected: bool, text: str) -> None:
    assert matches(selector, LABELS) is expected
    assert format_selector(selector) == text


def test_an_unknown_operator_is_an_error() -> None:
    selector = {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}
    with pytest.raises(ValueError, match="Gt"):
        matches(selector, LABELS)
    with pytest.raises(ValueError, match="Gt"):
        format_selector(selector)
