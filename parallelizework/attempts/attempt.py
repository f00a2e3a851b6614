"""One attempt at a user's function: its value, or what is kept of its error."""

import logging
from datetime import timedelta

from restate import Context, TerminalError
from restate.exceptions import RetryableError
from restate.serde import Serde

from parallelizework.attempts.schedule import FailedAttempt
from parallelizework.attempts.tracebacks import formatted, location
from parallelizework.definition.function import Function
from parallelizework.definition.job import TookTooLong
from parallelizework.headers import name_in
from parallelizework.outcomes import TIMED_OUT, Fault

_logger = logging.getLogger(__name__)

_VALUE = b'{"value":'
_TWO_HOURS = timedelta(hours=2)  # an API's hourly quota is renewed twice
_LONGEST_MESSAGE = 4_096  # characters; it is repeated wherever the error goes
_LONGEST_PAUSE = timedelta(days=365)
_CODES = range(400, 600)


class Postponed(RetryableError):
    """Raise it where the outside asks to come back later.

    It is for rate limits: an API that answers 429 with `Retry-After` is well, and will
    do the work in a moment. So this is not an attempt: `max_attempts` and
    `Attempt.number` do not count it. A time bounds it instead. The pause is durable,
    and is a little longer than `retry_after`, so that subtasks that were postponed
    together do not come back together.

    Handler code counts it like any `RetryableError`.

    Args:
        status_code: The status of the subtask's failure, if it comes to that.
        retry_after: When to try again; what has passed already is no pause.
        within: What all such pauses of a subtask may take together. Instead of a pause
            that would take longer, the subtask fails with this error.
    """

    def __init__(
        self,
        message: str,
        status_code: int = 429,
        *,
        retry_after: timedelta,
        within: timedelta = _TWO_HOURS,
    ) -> None:
        super().__init__(message, status_code, retry_after)
        self.within = within


class AttemptSerde(Serde[bytes | FailedAttempt]):
    """An attempt in the journal: the value as JSON, or why there is none."""

    def serialize(self, obj: bytes | FailedAttempt | None) -> bytes:
        """`{"value": ...}`, or a `FailedAttempt`."""
        assert obj is not None, "an attempt has a value or has failed"
        if isinstance(obj, FailedAttempt):
            return obj.model_dump_json().encode()
        return _VALUE + obj + b"}"

    def deserialize(self, buf: bytes) -> bytes | FailedAttempt:
        """The value, still as JSON, or a `FailedAttempt`."""
        if buf.startswith(_VALUE):
            return buf[len(_VALUE) : -1]
        return FailedAttempt.model_validate_json(buf)


def about(service: str, function: Function, name: str) -> str:
    """Which function of which subtask or invocation is tried, for the log."""
    return f"service={service} function={function.name} {name}"


def name_of(ctx: Context) -> str:
    """The name of the subtask that an invocation executes, or of the invocation."""
    request = ctx.request()
    return name_in(request.headers) or f"invocation={request.id}"


def failed_attempt(about: str, error: Exception) -> FailedAttempt:
    """Turn the error of an attempt into a `FailedAttempt`, and log the error once.

    Args:
        about: Which attempt at what, for the log.
    """
    match error:
        case TookTooLong():
            fault = Fault(
                status="timed_out", message=f"an attempt took {error}", code=TIMED_OUT
            )
            failed = FailedAttempt(fault=fault, again=True)
        case TerminalError():
            failed = _failed(error.message, error.status_code, again=False)
        case Postponed():
            failed = _failed(error.message, error.status_code, after=error.retry_after)
            _logger.info("attempt postponed: %s: %s", about, failed.fault.message)
            return failed.model_copy(update={"within": _seconds(error.within)})
        case RetryableError():
            failed = _failed(error.message, error.status_code, after=error.retry_after)
        case _:
            where = location(error)
            failed = _failed(_shown(error) + (f" in {where}" if where else ""), 500)
            _logger.warning("attempt failed: %s\n%s", about, _printable(error))
            return failed
    _logger.warning("attempt failed: %s: %s", about, failed.fault.message)
    return failed


def _failed(
    message: object, code: object, *, again: bool = True, after: object = None
) -> FailedAttempt:
    """A failed attempt that the journal and the protocol can carry.

    A user's error may have a code that is none of HTTP's, a message of any length, a
    lone surrogate, or a pause in the past. Neither can carry those.
    """
    known = code if isinstance(code, int) and code in _CODES else 500
    fault = Fault(status="failed", message=_sendable(message), code=known)
    return FailedAttempt(fault=fault, again=again, after=_seconds(after))


def _sendable(message: object) -> str:
    text = message if isinstance(message, str) else _shown(message)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."


def _seconds(after: object) -> float | None:
    """A pause in seconds; None for what is no duration."""
    if isinstance(after, timedelta):
        return min(max(after, timedelta(0)), _LONGEST_PAUSE).total_seconds()
    if isinstance(after, int | float) and after == after:  # noqa: PLR0124 - NaN
        return min(max(float(after), 0.0), _LONGEST_PAUSE.total_seconds())
    return None


def _shown(thing: object) -> str:
    try:
        return repr(thing)
    except Exception:
        return f"{type(thing).__name__}(...)"


def _printable(error: Exception) -> str:
    return formatted(error).encode("utf-8", "backslashreplace").decode()
