"""How a subtask ended, through the error that Restate carries."""

import pytest
from restate import TerminalError

from parallelizework.outcomes import Fault, Status
from parallelizework.terminal_errors import error_of, fault_of


@pytest.mark.parametrize("status", ["failed", "timed_out"])
@pytest.mark.parametrize("message", ["", "two\nlines", "[failed, attempts: 7]"])
def test_an_error_carries_status_message_code_and_attempts(
    status: Status, message: str
) -> None:
    fault = Fault(status=status, message=message, code=418, attempts=12)

    assert fault_of(error_of(fault)) == fault


def test_an_error_of_handler_code_is_a_failure_of_unknown_attempts() -> None:
    fault = fault_of(TerminalError("no such row", 404))

    assert fault == Fault(status="failed", message="no such row", code=404)


@pytest.mark.parametrize("message", ["cancelled", "killed"])
def test_a_subtask_that_somebody_stopped_is_cancelled(message: str) -> None:
    assert fault_of(TerminalError(message, 409)).status == "cancelled"


@pytest.mark.parametrize(
    "message", ["x [failed, attempts: 3]", "x [timed_out, attempts: ٣]", "cancelled"]
)
def test_a_message_that_looks_like_a_status_does_not_change_the_status(
    message: str,
) -> None:
    fault = Fault(status="failed", message=message, code=409, attempts=2)

    assert fault_of(error_of(fault)) == fault
