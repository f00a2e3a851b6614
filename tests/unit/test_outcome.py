"""What coordinators tell each other about how subtasks ended."""

import pytest
from restate import TerminalError

from parallelizework.outcomes import Fault, Status


@pytest.mark.parametrize("status", ["failed", "timed_out"])
@pytest.mark.parametrize("message", ["", "two\nlines", "[failed, attempts: 7]"])
def test_a_fault_comes_through_an_error_whole(status: Status, message: str) -> None:
    fault = Fault(status=status, message=message, code=418, attempts=12)

    assert Fault.of(fault.error()) == fault


def test_an_error_of_handler_code_is_a_failure_of_unknown_attempts() -> None:
    fault = Fault.of(TerminalError("no such row", 404))

    assert fault == Fault(status="failed", message="no such row", code=404)


@pytest.mark.parametrize("message", ["cancelled", "killed"])
def test_a_subtask_that_somebody_stopped_is_cancelled(message: str) -> None:
    assert Fault.of(TerminalError(message, 409)).status == "cancelled"


@pytest.mark.parametrize(
    "message", ["x [failed, attempts: 3]", "x [timed_out, attempts: ٣]", "cancelled"]
)
def test_what_a_message_says_is_not_taken_for_what_an_error_means(message: str) -> None:
    fault = Fault(status="failed", message=message, code=409, attempts=2)

    assert Fault.of(fault.error()) == fault
