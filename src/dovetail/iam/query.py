"""The part of a query string that changes what a request asks for: `watch`, `fieldSelector`, `labelSelector`.

Kubernetes reads the first value of a parameter, other servers the last; so a parameter that is given twice with
different meanings is `ambiguous` (watch) or ignored (selectors: ignoring one can only make the decision stricter).
Source: `reference/kubesphere-core.md` 1.4 step 10; apiserver/pkg/endpoints/request/requestinfo.go for `watch`.
"""

import re
from urllib.parse import parse_qsl

import msgspec

_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_WORKSPACE = "kubesphere.io/workspace="
_NAME = "metadata.name="
_MAX_FIELDS = 256


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a query settles about a request without a name in its path."""

    watch: bool = False
    name: str = ""
    workspace: str = ""
    ambiguous: str = ""


def matters(query: str) -> bool:
    """Whether a query can change a decision at all; cheap, may say yes too often, never no wrongly."""
    return "%" in query or "+" in query or "watch" in query or "elector" in query


def read(query: str) -> Asked:
    """Read a raw query string; never raises."""
    if not matters(query):
        return Asked()
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return Asked(ambiguous=f"the query has more than {_MAX_FIELDS} parameters")
    watches = {_truthy(value) for key, value in fields if key == "watch"}
    return Asked(
        watch=True in watches,
        name=_name([value for key, value in fields if key == "fieldSelector"]),
        workspace=_workspace([value for key, value in fields if key == "labelSelector"]),
        ambiguous="the query says watch twice, differently" if len(watches) > 1 else "",
    )


def _truthy(value: str) -> bool:
    """Kubernetes' rule: a parameter that is there is true unless it says false or 0."""
    return value.lower() not in {"false", "0"}


def _name(selectors: list[str]) -> str:
    """The one exact name that a single field selector asks for, or an empty string."""
    if len(selectors) != 1:
        return ""
    names: set[str] = set()
    for requirement in selectors[0].split(","):
        if requirement.startswith(_NAME):
            names.add(requirement.removeprefix(_NAME).removeprefix("="))
    name = names.pop() if len(names) == 1 else ""
    return name if "\\" not in name and "/" not in name else ""


def _workspace(selectors: list[str]) -> str:
    """The workspace that a single label selector begins with, or an empty string."""
    if len(selectors) != 1 or not selectors[0].startswith(_WORKSPACE):
        return ""
    value = selectors[0].removeprefix(_WORKSPACE).split(",", 1)[0]
    return value if _LABEL_VALUE.match(value) else ""
