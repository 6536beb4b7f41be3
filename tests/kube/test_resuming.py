"""What an informer does after a stream ended."""

import pytest

from dovetail.kube import ApiError, ConfigError, RequestTimeout, Unreachable, UnreadableAnswer, WatchBroken
from dovetail.kube.resuming import Step, after, went_back

AHEAD = {"code": 504, "reason": "Timeout", "details": {"causes": [{"reason": "ResourceVersionTooLarge"}]}}


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (None, Step.WATCH),
        (Unreachable("s", "refused"), Step.WATCH),
        (RequestTimeout("s", 3), Step.WATCH),
        (WatchBroken("s", "cut"), Step.WATCH),
        (ConfigError("f", "the token file is gone"), Step.WATCH),
        (ApiError.of({"code": 500}), Step.WATCH),
        (ApiError.of({"code": 429}), Step.WATCH),
        (ApiError.of({"code": 401}), Step.WATCH),
        (ApiError.of({"code": 403}), Step.WATCH),
        (ApiError.of({"code": 410, "reason": "Expired"}), Step.LIST),
        (ApiError.of({"code": 400}), Step.LIST),
        (ApiError.of(AHEAD), Step.LIST),
        (UnreadableAnswer("a watch", "no JSON"), Step.LIST),
    ],
)
@pytest.mark.parametrize("optional", [False, True])
def test_step(error: Exception | None, step: Step, optional: bool) -> None:
    assert after(error, optional) is step


@pytest.mark.parametrize(
    ("ours", "bookmark", "back"),
    [("7", "6", True), ("7", "7", False), ("9", "10", False), ("", "6", False), ("7", "", False), ("b", "a", False)],
)
def test_versions_that_go_back(ours: str, bookmark: str, back: bool) -> None:
    assert went_back(ours, bookmark) is back


def test_only_an_optional_resource_may_be_absent() -> None:
    missing = ApiError.of({"code": 404, "reason": "NotFound"})
    assert after(missing, optional=True) is Step.ABSENT
    assert after(missing, optional=False) is Step.LIST
