"""A failed attempt: how its error is stored and logged."""

from datetime import timedelta
from typing import Any

import pytest
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.attempts.attempt import AttemptSerde, logged_failure
from parallelizework.attempts.retry_schedule import FailedAttempt, longest_pause
from parallelizework.policy import Policy

_YEAR = timedelta(days=365).total_seconds()


class Unprintable(Exception):
    def __repr__(self) -> str:
        raise ValueError("no")


def broken(rows: list[int]) -> int:
    return rows[7]


def error_of_the_user() -> Exception:
    try:
        broken([])
    except IndexError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (TerminalError("no such row", 404), 404, "no such row"),
        (TerminalError("x", 70_000), 500, "x"),
        (TerminalError("x", 0), 500, "x"),
        (TerminalError("x", "404"), 500, "x"),  # type: ignore[arg-type]
        (TerminalError(None, 400), 400, "None"),  # type: ignore[arg-type]
        (TerminalError("cannot read \udce4.jpg"), 500, "cannot read \\udce4.jpg"),
        (RetryableError("busy", 503), 503, "busy"),
        (Unprintable(), 500, "Unprintable(...)"),
    ],
)
def test_any_error_becomes_one_that_restate_can_represent(
    error: Exception, code: int, message: str
) -> None:
    failed = logged_failure("it", error)

    kept = AttemptSerde().deserialize(AttemptSerde().serialize(failed))
    assert isinstance(kept, FailedAttempt)
    assert (kept.fault.code, kept.fault.message) == (code, message)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (timedelta(seconds=3), 3),
        (timedelta(seconds=-3), 0),
        (timedelta.max, _YEAR),
        (2, 2),
        (2.5, 2.5),
        (float("inf"), _YEAR),
        (float("nan"), None),
        ("soon", None),
        (None, None),
    ],
)
def test_a_pause_requested_by_an_error_is_limited_to_a_valid_pause(
    asked: Any, seconds: float | None
) -> None:
    assert (
        logged_failure("it", RetryableError("later", retry_after=asked)).after
        == seconds
    )


def test_a_long_message_is_cut() -> None:
    assert len(logged_failure("it", ValueError("x" * 10**6)).fault.message) < 5_000


def test_an_error_names_the_users_function_file_and_line() -> None:
    failed = logged_failure("it", error_of_the_user())

    assert failed.fault.message.startswith("IndexError('list index out of range') in ")
    assert "broken, test_attempt.py:" in failed.fault.message


def test_a_failed_attempt_is_logged_once_with_the_users_frames(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logged_failure("fan_out=Thumbnails index=7", error_of_the_user())

    (record,) = caplog.records
    assert "fan_out=Thumbnails index=7" in record.getMessage()
    assert "in broken" in record.getMessage()


def test_a_terminal_error_of_the_user_is_logged_in_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logged_failure("it", TerminalError("no such row", 404))

    assert [record.getMessage() for record in caplog.records] == [
        "attempt failed: it: no such row"
    ]


@pytest.mark.parametrize(
    ("initial", "factor", "attempt", "seconds"),
    [(1, 2, 1, 1), (1, 2, 3, 4), (1, 2, 99, 10), (1, 1, 10**6, 1), (1, 1e3, 10**6, 10)],
)
def test_a_pause_grows_up_to_the_longest(
    initial: float, factor: float, attempt: int, seconds: float
) -> None:
    policy = Policy(
        initial_retry_interval=timedelta(seconds=initial),
        max_retry_interval=timedelta(seconds=10),
        retry_interval_factor=factor,
    )

    assert longest_pause(policy, attempt) == seconds


def test_the_default_attempts_last_longer_than_an_outage_of_two_minutes() -> None:
    policy = Policy()

    pauses = [longest_pause(policy, number) for number in range(1, policy.max_attempts)]

    assert sum(pauses) / 2 > 120  # a pause is up to half shorter
    assert round(sum(pauses)) == 321
