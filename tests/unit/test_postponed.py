"""A postponed attempt: not counted, but bounded by a time."""

import pickle
from datetime import timedelta

import pytest
from restate import TerminalError

from parallelizework import Policy, Postponed
from parallelizework.attempts.attempt import AttemptSerde, logged_failure
from parallelizework.attempts.retry_schedule import FailedAttempt, RetrySchedule
from parallelizework.outcomes import Fault

pytestmark = pytest.mark.anyio
SERDE = AttemptSerde()
POLICY = Policy(
    max_attempts=2,
    initial_retry_interval=timedelta(seconds=1),
    max_retry_interval=timedelta(seconds=4),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def busy(seconds: float, within: float = 1_000) -> Postponed:
    return Postponed(
        "busy",
        retry_after=timedelta(seconds=seconds),
        within=timedelta(seconds=within),
    )


async def run(*errors: Exception) -> tuple[bytes | Fault, list[int], list[float]]:
    """The outcome after these errors, the numbers of the attempts, and the pauses."""
    numbers: list[int] = []
    pauses: list[float] = []
    schedule = RetrySchedule(POLICY, random=lambda: 0.0)
    failing = iter(errors)

    while True:
        numbers.append(schedule.number)
        error = next(failing, None)
        if error is None:
            return b"1", numbers, pauses
        outcome = SERDE.deserialize(SERDE.serialize(logged_failure("it", error)))
        assert isinstance(outcome, FailedAttempt)
        pause = schedule.pause_after(outcome)
        if pause is None:
            return schedule.fault(outcome), numbers, pauses
        pauses.append(pause)


async def test_a_postponed_attempt_is_not_counted() -> None:
    outcome, numbers, _ = await run(*[busy(10)] * 5, ValueError(), busy(10))

    assert outcome == b"1"
    assert numbers == [1, 1, 1, 1, 1, 1, 2, 2]


async def test_a_postponed_attempt_waits_at_least_as_long_as_the_policy_says() -> None:
    """Subtasks that were postponed together are not all retried at once."""
    _, _, pauses = await run(*[busy(10)] * 4)

    assert pauses == [11, 12, 14, 14]


async def test_a_subtask_fails_before_a_pause_that_would_take_too_long() -> None:
    outcome, numbers, pauses = await run(*[busy(10, within=25)] * 9)

    assert isinstance(outcome, Fault)
    assert (outcome.status, outcome.code, outcome.attempts) == ("failed", 429, 1)
    assert outcome.message == "busy (its pauses would take longer than 25 s)"
    assert (numbers, pauses) == ([1, 1, 1], [11, 12])


@pytest.mark.parametrize(
    ("after", "within"),
    [
        (timedelta(0), timedelta(seconds=30)),
        (timedelta(days=-1), timedelta(seconds=30)),
        (timedelta.max, timedelta.max),
        (timedelta(seconds=1), timedelta.min),
    ],
)
async def test_postponed_attempts_end_for_any_pause_and_timeout(
    after: timedelta, within: timedelta
) -> None:
    error = Postponed("busy", 503, retry_after=after, within=within)

    outcome, numbers, pauses = await run(*[error] * 100)

    assert isinstance(outcome, Fault)
    assert outcome.code == 503
    assert len(numbers) < 12
    assert all(0 <= pause < 100 for pause in pauses)


async def test_other_errors_count_as_attempts() -> None:
    outcome, numbers, _ = await run(ValueError(), busy(1), ValueError())

    assert isinstance(outcome, Fault)
    assert outcome.attempts == 2
    assert numbers == [1, 2, 2]
    assert await run(TerminalError("no", 404)) == (
        Fault(status="failed", message="no", code=404, attempts=1),
        [1],
        [],
    )


def test_an_extreme_pause_of_a_postponed_attempt_is_limited() -> None:
    error = Postponed("\udce4" * 9_000, 70_000, retry_after=timedelta.max)

    failed = logged_failure("it", error)

    assert SERDE.deserialize(SERDE.serialize(failed)) == failed
    assert failed.fault.code == 500
    assert (failed.after, failed.within) == (365 * 86_400, 7_200)


def test_a_postponed_error_survives_a_pool_of_processes() -> None:
    error = Postponed(
        "later", 503, retry_after=timedelta(seconds=3), within=timedelta(seconds=9)
    )

    copy = pickle.loads(pickle.dumps(error))

    assert (copy.message, copy.status_code) == ("later", 503)
    assert (copy.retry_after, copy.within) == (error.retry_after, error.within)
