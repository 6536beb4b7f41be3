"""What each step writes into an InstallPlan's status."""

from datetime import UTC, datetime

from dovetail.lifecycle import progress, states
from dovetail.lifecycle.facts import Attempt, Desired, Recorded

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WANTED = Desired("greeter", "0.2.0", True, "extension-greeter", "target")


def test_what_is_written_is_read_back() -> None:
    attempt = Attempt("target", "token", 3, 2, 1, "why")
    status = progress.failed({}, states.INSTALL_FAILED, "HelmFailed", attempt, 7, NOW)
    assert progress.recorded_of(status) == Recorded(states.INSTALL_FAILED, generation=7, attempt=attempt)
    (condition,) = status["conditions"]
    assert (condition["type"], condition["status"], condition["message"]) == ("Installed", "False", "why")


def test_history_keeps_ten_states_and_no_repetition() -> None:
    status: dict[str, object] = {}
    for _ in range(8):
        for state in (states.PREPARING, states.PREPARING, states.UPGRADING):
            status = progress.entered(status, state, Attempt(), 1, NOW)
    history = status["stateHistory"]
    assert isinstance(history, list)
    assert [entry["state"] for entry in history] == ["Preparing", "Upgrading"] * 5


def test_settling_tells_version_enabled_and_conditions() -> None:
    before = {"state": states.UPGRADING, "version": "0.1.0", "operation": {"problem": "old", "token": "t"}}
    status = progress.settled(before, WANTED, "digest", 3, NOW)
    assert (status["state"], status["version"], status["enabled"]) == ("Installed", "0.2.0", True)
    conditions = {condition["type"]: condition["status"] for condition in status["conditions"]}
    assert conditions == {"Installed": "True", "Upgraded": "True", "Enabled": "True"}
    recorded = progress.recorded_of(status)
    assert (recorded.problem, recorded.attempt) == ("", Attempt("target", "t"))
    assert progress.settled(status, WANTED, "digest", 3, NOW) == status


def test_what_an_attempt_is_made_from_is_known_when_its_version_is_gone() -> None:
    before = progress.settled({}, WANTED, "old", 1, NOW)
    begun = progress.entered(progress.begun_with(before, "0.3.0", "new"), "Preparing", Attempt("other"), 2, NOW)
    failed = progress.failed(begun, "UpgradeFailed", "HelmFailed", Attempt("other", count=1), 2, NOW)
    assert [progress.known_digest(failed, version) for version in ("0.2.0", "0.3.0", "9")] == ["old", "new", None]


def test_the_percentage_does_not_go_back_within_an_attempt() -> None:
    status = progress.entered({}, states.PREPARING, Attempt(), 1, NOW)
    assert status["progress"]["percent"] == 1
    far = {**status, "progress": {"percent": 24, "step": "looking"}}
    begun = progress.begun(far, states.INSTALLING, release="x", namespace="x", config_hash="", generation=1, now=NOW)
    assert begun["progress"]["percent"] == 24
    assert progress.entered(begun, states.PREPARING, Attempt(count=1), 1, NOW)["progress"]["percent"] == 1
    assert "progress" not in progress.settled(begun, WANTED, "", 1, NOW)


def test_a_foreign_status_is_no_obstacle() -> None:
    assert progress.recorded_of({"operation": "?", "stateHistory": None}) == Recorded()
    assert progress.entered({"stateHistory": None}, "Preparing", Attempt(), 1, NOW)["stateHistory"]
