"""Errors on their way out: every "not now" says when to come back."""

import pytest

from yychat import errors
from yychat.web.problems import problem


@pytest.mark.parametrize(
    "error",
    [
        errors.CapacityExceeded("full"),
        errors.RateLimited("too many"),
        errors.Draining("leaving"),
        errors.UpstreamRateLimited("too many"),
        errors.UpstreamUnreachable("gone"),
        errors.StoreError("gone"),
        errors.EngineUnavailable("gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_429_and_503_says_when_to_come_back(error: errors.YYChatError) -> None:
    response = problem(error)
    assert response.status_code in (429, 503)
    assert response.headers["retry-after"] == "1"


def test_what_coming_back_does_not_mend_names_no_time() -> None:
    assert "retry-after" not in problem(errors.InvalidRequest("wrong")).headers
