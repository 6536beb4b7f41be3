"""How an InstallPlan is to be carried out, read into values: seconds instead of `5m`, defaults filled in."""

from typing import Final, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from dovetail.apis.dialects.reading import Fields

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_SECONDS: Final = 24 * 3600.0


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """`limit` None: the room's default; 0: for ever. Pauses in seconds."""

    limit: int | None = None
    first_pause: float = 1.0
    longest_pause: float = 300.0


class DriftIgnored(msgspec.Struct, frozen=True, kw_only=True):
    """Empty `kind` or `name`: any. `paths` are JSON pointers; none means the whole object."""

    kind: str = ""
    name: str = ""
    paths: tuple[str, ...] = ()


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Opens on `days` (0 is Monday) at `minute` of the day in `zone`, for `seconds`."""

    days: frozenset[int]
    minute: int
    seconds: float
    zone: str = "UTC"


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about the how of a plan. `hook_timeout` None: the controllers' setting."""

    paused: bool = False
    retry: Retry = Retry()
    on_upgrade_failure: Literal["Keep", "Rollback"] = "Keep"
    crds: Literal["Skip", "Create", "CreateReplace"] = "CreateReplace"
    scale_down_when_disabled: bool = False
    hook_timeout: float | None = None
    run_tests: bool = False
    tests_must_pass: bool = True
    drift: Literal["Ignore", "Report", "Heal"] = "Report"
    drift_ignored: tuple[DriftIgnored, ...] = ()
    window: Window | None = None
    approval_required: bool = False
    approved_hash: str = ""


AS_PUBLISHED: Final = Policies()
"""What a plan that says nothing gets."""


def policies(spec: Fields) -> Policies:
    """Read them from a plan's spec; mistakes are noted in `spec.errors`."""
    retry, tests, drift, approval = (spec.child(name) for name in ("retry", "tests", "drift", "approval"))
    on_failure = spec.choice("onUpgradeFailure", ("Keep", "Rollback"), "Keep")
    crds = spec.choice("crds", ("Skip", "Create", "CreateReplace"), "CreateReplace")
    return Policies(
        paused=spec.flag("paused"),
        retry=Retry(
            limit=retry.number("limit", low=0, high=1000),
            first_pause=retry.seconds("backOff", 1.0, low=0.1),
            longest_pause=retry.seconds("maxBackOff", 300.0, low=1.0),
        ),
        on_upgrade_failure=cast('Literal["Keep", "Rollback"]', on_failure),
        crds=cast('Literal["Skip", "Create", "CreateReplace"]', crds),
        scale_down_when_disabled=spec.choice("workloadsWhenDisabled", ("Keep", "ScaleDown"), "Keep") == "ScaleDown",
        hook_timeout=spec.seconds("hookTimeout", 0.0, low=1.0) or None,
        run_tests=tests.flag("enabled"),
        tests_must_pass=tests.choice("onFailure", ("Fail", "Ignore"), "Fail") == "Fail",
        drift=cast('Literal["Ignore", "Report", "Heal"]', drift.choice("mode", ("Ignore", "Report", "Heal"), "Report")),
        drift_ignored=tuple(
            DriftIgnored(kind=one.text("kind"), name=one.text("name"), paths=one.texts("paths"))
            for one in drift.children("ignore")
        ),
        window=_window(spec.child("maintenanceWindow")),
        approval_required=approval.flag("required"),
        approved_hash=approval.text("planHash"),
    )


def _window(fields: Fields) -> Window | None:
    if not fields.present:
        return None
    named = fields.texts("days")
    for name in named:
        if name not in DAYS:
            fields.fail("days", f"{name!r} is no day; write {', '.join(DAYS)}")
    hours, _, minutes = fields.text("start").partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60):
        fields.fail("start", "must be a time of day such as 02:00")
        hours, minutes = "0", "0"
    seconds = fields.seconds("duration", 0.0)
    if not 60.0 <= seconds <= _DAY_SECONDS:
        fields.fail("duration", "must be from 1m to 24h")
    zone = fields.text("timeZone") or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fields.fail("timeZone", f"{zone[:60]!r} is no IANA time zone known here; write Europe/Berlin, or UTC")
    days = frozenset(DAYS.index(name) for name in named if name in DAYS) or frozenset(range(7))
    return Window(days=days, minute=int(hours) * 60 + int(minutes), seconds=seconds, zone=zone)
