"""How an InstallPlan is to be carried out, on the wire: retries, roll-back, drift, tests, windows, approval.

Fields of Dovetail's own next to the published ones; leaving all of them out gives the published behaviour. Their
values are read by `dialects.policies`.
"""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Literal

from dovetail.apis.wire import Count, Duration, Wire, about


class RetryPolicy(Wire, frozen=True, kw_only=True):
    """How often what Helm or the API refused is tried again, and after which pauses."""

    limit: Annotated[Count | None, about("Attempts, then a change of the plan is waited for. 0: for ever; else 5.")] = (
        None
    )
    back_off: Annotated[Duration, about("Pause after the first failure, `1s`; it doubles each time.")] = ""
    max_back_off: Annotated[Duration, about("The longest pause, `5m`.")] = ""


class TestPolicy(Wire, frozen=True, kw_only=True):
    """Whether the package's Helm tests run after an install and an upgrade."""

    enabled: Annotated[bool, about("Run them.")] = False
    on_failure: Annotated[Literal["Fail", "Ignore"], about("Fail: the attempt failed. Ignore: a condition tells.")] = (
        "Fail"
    )


class DriftIgnore(Wire, frozen=True, kw_only=True):
    """Objects, or fields of them, that others may change."""

    kind: Annotated[str, about("Kind of the objects; every kind when empty.")] = ""
    name: Annotated[str, about("Name of the object; every one when empty.")] = ""
    paths: Annotated[list[str], about("JSON pointers, `/spec/replicas`; the whole object when empty.")] = []


class DriftPolicy(Wire, frozen=True, kw_only=True):
    """What happens when somebody changes or deletes the extension's objects by hand."""

    mode: Annotated[Literal["Ignore", "Report", "Heal"], about("Report tells in status.drift; Heal mends, too.")] = (
        "Report"
    )
    ignore: list[DriftIgnore] = []


class MaintenanceWindow(Wire, frozen=True, kw_only=True):
    """When automatic upgrades may begin."""

    days: Annotated[
        list[Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]], about("Days it opens; every day when empty.")
    ] = []
    start: Annotated[str, about("Time of day, `02:00`.", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    duration: Annotated[Duration, about("How long it stays open, `2h`; at most a day.")]
    time_zone: Annotated[str, about("IANA name, `Europe/Berlin`; UTC when absent.")] = ""


class Approval(Wire, frozen=True, kw_only=True):
    """Somebody has seen the plan: `dovetail extension plan` shows it with its hash."""

    required: Annotated[bool, about("Nothing is installed or upgraded without the hash of its plan.")] = False
    plan_hash: Annotated[str, about("The plan that is approved; any other is refused as PlanStale.")] = ""
