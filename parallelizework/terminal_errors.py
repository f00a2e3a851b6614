"""The `TerminalError` of a subtask: from a `Fault`, and back to a `Fault`.

Restate carries the error from `runSubtask` to its caller. The message is for people.
The metadata is for programs: the status of the subtask and the number of attempts.
"""

from restate import TerminalError

from parallelizework.outcomes import Fault

_STATUS, _ATTEMPTS = "parallelizework.status", "parallelizework.attempts"
_NOT_FOUND, _CANCELLED = 404, 409
_UNKNOWN = ("not found", "invocation not found")  # Restate's own messages


def error_of(fault: Fault) -> TerminalError:
    """Return the error that `runSubtask` raises for a fault."""
    metadata = {_STATUS: fault.status}
    if fault.attempts is not None:
        metadata[_ATTEMPTS] = str(fault.attempts)
    return TerminalError(fault.message, fault.code, metadata=metadata)


def fault_of(error: TerminalError) -> Fault:
    """Return the fault that the error of a call of `runSubtask` describes."""
    metadata = error.metadata or {}
    status = "cancelled" if is_cancelled(error) else "failed"
    attempts = metadata.get(_ATTEMPTS, "")
    return Fault(
        status="timed_out" if metadata.get(_STATUS) == "timed_out" else status,
        message=error.message,
        code=error.status_code,
        attempts=int(attempts) if attempts.isascii() and attempts.isdigit() else None,
    )


def cancelled() -> TerminalError:
    """Return the error of a cancelled invocation, with Restate's own message."""
    return TerminalError("cancelled", _CANCELLED)


def is_cancelled(error: TerminalError) -> bool:
    """Whether an invocation ended because somebody cancelled or killed it.

    Restate reports this by status and message only. A user's function may raise the
    same status and message. Such an error comes from `error_of`, and has our metadata.
    """
    if error.metadata and _STATUS in error.metadata:
        return False
    return error.status_code == _CANCELLED and error.message in ("cancelled", "killed")


def is_lost(error: TerminalError) -> bool:
    """Whether an invocation was killed, or is not stored any more."""
    is_killed = is_cancelled(error) and error.message == "killed"
    is_unknown = error.status_code == _NOT_FOUND and error.message in _UNKNOWN
    return is_killed or is_unknown
