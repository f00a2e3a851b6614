"""How a subtask ended, as the `TerminalError` that Restate carries to its caller.

The message is for people. What programs need is in the error's metadata: the status and
the number of attempts of a subtask.
"""

from restate import TerminalError

from parallelizework.outcomes import Fault

_STATUS, _ATTEMPTS = "parallelizework.status", "parallelizework.attempts"
_CANCELLED = 409


def error_of(fault: Fault) -> TerminalError:
    """The error for `runSubtask` to end with."""
    metadata = {_STATUS: fault.status}
    if fault.attempts is not None:
        metadata[_ATTEMPTS] = str(fault.attempts)
    return TerminalError(fault.message, fault.code, metadata=metadata)


def fault_of(error: TerminalError) -> Fault:
    """What the error of a call of `runSubtask` means."""
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
    """The error of an invocation that has been cancelled, as Restate words it."""
    return TerminalError("cancelled", _CANCELLED)


def is_cancelled(error: TerminalError) -> bool:
    """Whether an invocation ended because somebody cancelled or killed it."""
    if error.metadata and _STATUS in error.metadata:  # a user's function says so
        return False
    return error.status_code == _CANCELLED and error.message in ("cancelled", "killed")
