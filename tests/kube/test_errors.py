"""Which exception a Status becomes."""

import pytest

from dovetail.kube import errors
from dovetail.kube.errors import ApiError


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (400, "BadRequest", errors.BadRequest),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (409, "", errors.Conflict),
        (410, "Expired", errors.Gone),
        (410, "Gone", errors.Gone),
        (410, "", errors.Gone),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.TooManyRequests),
        (500, "InternalError", errors.ServerError),
        (503, "", errors.ServerError),
        (504, "Timeout", errors.ServerError),
        (405, "MethodNotAllowed", ApiError),
    ],
)
def test_class(code: int, reason: str, expected: type[ApiError]) -> None:
    error = ApiError.of({"code": code, "reason": reason, "message": "m"})
    assert type(error) is expected
    assert (error.code, error.reason, error.message) == (code, reason, "m")


def test_a_status_of_garbage_is_still_an_error_with_a_sentence() -> None:
    error = ApiError.of({"code": "x", "details": [1], "message": None})
    assert (error.code, error.retry_after, error.causes) == (0, 0.0, [])
    assert ApiError.of({"code": 429, "details": {"retryAfterSeconds": 3}}).retry_after == 3.0


def test_every_error_is_a_kube_error_and_has_a_docstring() -> None:
    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert all(issubclass(kind, errors.KubeError) and kind.__doc__ for kind in kinds)
    drawn = errors.__doc__ or ""
    assert [kind.__name__ for kind in kinds if kind.__name__ not in drawn] == []
