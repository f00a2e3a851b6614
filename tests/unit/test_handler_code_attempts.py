"""The failed attempts of handler code, as one process counts them."""

from typing import Any, cast

import pytest
from restate import Context, TerminalError
from restate.exceptions import RetryableError

from parallelizework import Policy
from parallelizework.attempts.attempt import logged_failure
from parallelizework.attempts.handler_code_attempts import HandlerCodeAttempts

FAILED = logged_failure("a subtask", ValueError("no"))


class Invocation:
    """A context with an invocation, and nothing else."""

    id = "inv_1"

    def request(self) -> Any:
        return self


CTX = cast("Context", Invocation())


@pytest.mark.parametrize("on_exhausted", ["fail", "pause"])
def test_each_failed_attempt_is_counted(on_exhausted: Any) -> None:
    attempts = HandlerCodeAttempts()
    policy = Policy(max_attempts=9, on_exhausted=on_exhausted)
    numbers: list[int] = []

    for _ in range(3):
        numbers.append(attempts.number(CTX))
        error = attempts.count_failure(CTX, policy, FAILED)
        assert isinstance(error, RetryableError)
    attempts.forget(CTX)

    assert numbers == [1, 2, 3]
    assert attempts.number(CTX) == 1


def test_the_last_attempt_fails() -> None:
    attempts = HandlerCodeAttempts()
    policy = Policy(max_attempts=2)

    errors = [attempts.count_failure(CTX, policy, FAILED) for _ in range(2)]

    assert [type(each) for each in errors] == [RetryableError, TerminalError]


def test_restate_counts_if_it_pauses_the_invocation() -> None:
    attempts = HandlerCodeAttempts()
    policy = Policy(max_attempts=2, on_exhausted="pause")

    errors = [attempts.count_failure(CTX, policy, FAILED) for _ in range(5)]

    assert all(
        isinstance(error, RetryableError) and error.retry_after is None
        for error in errors
    )
