"""Label selectors: matching them against labels, and writing them for a query.

A selector here is a mapping: either plain labels (all must be equal) or metav1.LabelSelector's form with `matchLabels`
and `matchExpressions`. An empty selector matches everything.
"""

from collections.abc import Mapping
from typing import Any, cast

Selector = Mapping[str, Any]


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether the labels satisfy the selector. Raises ValueError for an operator that Kubernetes does not have."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return all(labels.get(name) == value for name, value in selector.items())
    wanted = cast("Mapping[str, str]", selector.get("matchLabels") or {})
    expressions = cast("list[Mapping[str, Any]]", selector.get("matchExpressions") or [])
    return all(labels.get(n) == v for n, v in wanted.items()) and all(_holds(e, labels) for e in expressions)


def format_selector(selector: Selector) -> str:
    """The selector as `labelSelector` in a query."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
    wanted = cast("Mapping[str, str]", selector.get("matchLabels") or {})
    expressions = cast("list[Mapping[str, Any]]", selector.get("matchExpressions") or [])
    return ",".join([*(f"{n}={v}" for n, v in sorted(wanted.items())), *(_format(e) for e in expressions)])


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    name, operator = str(expression["key"]), expression["operator"]
    values = cast("list[str]", expression.get("values") or [])
    match operator:
        case "In":
            return name in labels and labels[name] in values
        case "NotIn":
            return name not in labels or labels[name] not in values
        case "Exists":
            return name in labels
        case "DoesNotExist":
            return name not in labels
        case _:
            raise ValueError(f"label selector: unknown operator {operator!r}; use In, NotIn, Exists or DoesNotExist")


def _format(expression: Mapping[str, Any]) -> str:
    name, operator = str(expression["key"]), expression["operator"]
    values = ",".join(cast("list[str]", expression.get("values") or []))
    match operator:
        case "In":
            return f"{name} in ({values})"
        case "NotIn":
            return f"{name} notin ({values})"
        case "Exists":
            return name
        case "DoesNotExist":
            return f"!{name}"
        case _:
            raise ValueError(f"label selector: unknown operator {operator!r}; use In, NotIn, Exists or DoesNotExist")
