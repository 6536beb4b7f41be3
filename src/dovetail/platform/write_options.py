"""What the query of a write may say. As everywhere: what is unknown or cannot be read is refused with its name."""

from collections.abc import Sequence
from typing import Final, Literal, cast

from starlette.requests import Request

from dovetail.kube.options import Propagation
from dovetail.platform.errors import BadRequest
from dovetail.platform.generic_writes import WriteOptions

Name = Literal["dryRun", "fieldManager", "force", "propagationPolicy"]

_VALUES: Final = {
    "dryRun": ("All",), "force": ("true", "false"), "propagationPolicy": ("Background", "Foreground", "Orphan"),
}  # fmt: skip
_LONGEST_MANAGER: Final = 128
SAID: Final = {
    "dryRun": "All: check everything and write nothing.",
    "fieldManager": "Who owns the fields that are written.",
    "force": "true: take fields from other managers when applying.",
    "propagationPolicy": "Background, Foreground or Orphan: what becomes of dependents.",
}


def read_options(request: Request, allowed: Sequence[Name]) -> WriteOptions:
    """The options of a write; `allowed` are those that this verb has. Raises BadRequest."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in allowed:
            raise BadRequest(
                f"the query parameter {name!r} is not known here; known are {', '.join(allowed) or 'none'}"
            )
        if name in given:
            raise BadRequest(f"the query parameter {name!r} is given twice")
        _demand_readable(name, value)
        given[name] = value
    return WriteOptions(
        dry_run="dryRun" in given,
        field_manager=given.get("fieldManager", "dovetail-platform"),
        force=given.get("force") == "true",
        propagation=cast("Propagation | None", given.get("propagationPolicy")),
    )


def _demand_readable(name: str, value: str) -> None:
    known = _VALUES.get(name)
    if known is not None and value not in known:
        raise BadRequest(f"the query parameter {name!r} is none of {', '.join(known)}: {value!r}")
    if known is None and not (0 < len(value) <= _LONGEST_MANAGER and value.isprintable()):
        raise BadRequest(f"the query parameter {name!r} is not a name of 1 to {_LONGEST_MANAGER} characters")
