"""One attempt at a user's function, as the journal stores it: a value or an error."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from restate import Context, TerminalError
from restate.exceptions import RetryableError
from restate.serde import Serde

from parallelizework.attempts.retry_schedule import FailedAttempt
from parallelizework.attempts.time_left import NoTimeLeft, within_time_left
from parallelizework.attempts.tracebacks import formatted, location, shown
from parallelizework.definition.function import Function
from parallelizework.definition.job import TookTooLong
from parallelizework.headers import SubtaskId, name_in
from parallelizework.observation.observed import ObservedAttempt
from parallelizework.observation.observer import is_observed, observed
from parallelizework.outcomes import TIMED_OUT, Fault
from parallelizework.restate_sdk import executed_now

_logger = logging.getLogger(__name__)

_VALUE = b'{"value":'
_TWO_HOURS = timedelta(hours=2)  # an hourly quota of an API is renewed twice
_LONGEST_MESSAGE = 4_096  # characters; many errors and log lines repeat the message
_LONGEST_PAUSE = timedelta(days=365)
_CODES = range(400, 600)


class Postponed(RetryableError):
    """An error for `execute` to raise when a service asks to try again later.

    Use it for rate limits, such as an answer 429 with `Retry-After`. `max_attempts` and
    `Attempt.number` do not count a postponed attempt. Instead, `within` limits the sum
    of the pauses. The pause is durable, except in a batch: only the answer of a batch
    is durable. The pause is `retry_after` plus the pause of the retry policy, which is
    shortened at random: so subtasks that were postponed together do not all return at
    the same moment. During the pause, the subtask keeps its slot of the run, but no
    invoker slot of the server.

    In handler code, a `Postponed` counts as an attempt, like any
    `restate.exceptions.RetryableError`. With `on_exhausted="pause"`, handler code
    ignores `retry_after`: Restate chooses the pauses.

    Args:
        message: Why the attempt is postponed.
        status_code: The code of the failure if the subtask fails. Default: 429.
        retry_after: When to try again: a `timedelta` from now. A negative time means at
            once.
        within: The longest sum of all such pauses of one subtask. If the next pause
            would exceed it, the subtask fails with this error. Default: two hours.

    Examples:
        ```python
        if response.status_code == 429:
            raise Postponed("rate limit", retry_after=timedelta(minutes=1))
        ```
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

    def __reduce__(self) -> tuple[object, ...]:
        """Make the error picklable, for example for a pool of processes."""
        pauses = {"retry_after": self.retry_after, "within": self.within}
        return partial(type(self), **pauses), (self.message, self.status_code)


class AttemptSerde(Serde[bytes | FailedAttempt]):
    """An attempt as journal bytes: `{"value": ...}`, or a `FailedAttempt` as JSON."""

    def serialize(self, obj: bytes | FailedAttempt | None) -> bytes:
        """Return the bytes for the journal."""
        assert obj is not None, "an attempt has a value or has failed"
        if isinstance(obj, FailedAttempt):
            return obj.model_dump_json().encode()
        return _VALUE + obj + b"}"

    def deserialize(self, buf: bytes) -> bytes | FailedAttempt:
        """Return the value, still as JSON, or a `FailedAttempt`."""
        if buf.startswith(_VALUE):
            return buf[len(_VALUE) : -1]
        return FailedAttempt.model_validate_json(buf)


def observed_attempt(
    ctx: Context, service: str, function: Function, number: int
) -> ObservedAttempt:
    """Return what observers see of an attempt that an invocation makes.

    Args:
        ctx: The context of the invocation.
        service: The name of the service.
        function: The user's function.
        number: The number of the attempt; 1 for the first one.
    """
    request = ctx.request()
    return ObservedAttempt(
        service=service,
        role=function.role,
        function=function.qualname,
        number=number,
        subtask_id=lambda: SubtaskId.read(name_in(request.headers)),
        invocation=request.id,
        is_handler_code=function.accepts_context,
        is_sync=not function.is_async,
    )


async def attempted(
    described: Callable[[], ObservedAttempt], execute: Callable[[], Awaitable[bytes]]
) -> bytes | FailedAttempt:
    """Make one attempt. An error is returned as a value, and logged once.

    Args:
        described: Returns what observers see of the attempt. Without an observer, it is
            called for the log of an error only: many attempts of a batch are short.
        execute: Makes the attempt. It returns the value as JSON.
    """
    with executed_now():
        if is_observed():
            return await _observed(described(), execute)
        try:
            return await within_time_left(execute)
        except Exception as error:
            return logged_failure(str(described()), error)


async def _observed(
    attempt: ObservedAttempt, execute: Callable[[], Awaitable[bytes]]
) -> bytes | FailedAttempt:
    with observed(attempt):
        try:
            value = await within_time_left(execute)
        except Exception as error:
            return end_with_error(attempt, error)
        attempt.status = "succeeded"
        return value


def end_with_error(attempt: ObservedAttempt, error: Exception) -> FailedAttempt:
    """End an attempt with an error, and log the error once."""
    failed = logged_failure(str(attempt), error, round(attempt.seconds, 3))
    is_postponed = failed.within is not None
    attempt.status = "postponed" if is_postponed else failed.fault.status
    attempt.error = failed.fault.message
    return failed


def logged_failure(
    about: str, error: Exception, seconds: float | None = None
) -> FailedAttempt:
    """Turn the error of an attempt into a `FailedAttempt`, and log the error once.

    Args:
        about: The attempt's function and subtask, for the log.
        error: What the function raised.
        seconds: The time of the attempt, for the log.
    """
    match error:
        case TookTooLong():
            is_begun = not isinstance(error, NoTimeLeft)
            message = f"an attempt took {error}" if is_begun else str(error)
            fault = Fault(status="timed_out", message=message, code=TIMED_OUT)
            failed = FailedAttempt(fault=fault, again=True)
        case TerminalError():
            failed = _failure(error.message, error.status_code, again=False)
        case Postponed():
            failed = _failure(error.message, error.status_code, after=error.retry_after)
            fields = _log_fields(failed, seconds)
            message = failed.fault.message
            _logger.info("attempt postponed: %s: %s", about, message, extra=fields)
            return failed.model_copy(update={"within": _seconds(error.within)})
        case RetryableError():
            failed = _failure(error.message, error.status_code, after=error.retry_after)
        case _:
            where = location(error)
            failed = _failure(shown(error) + (f" in {where}" if where else ""), 500)
            traceback = _printable(error)
            fields = _log_fields(failed, seconds) | {"traceback": traceback}
            _logger.warning("attempt failed: %s\n%s", about, traceback, extra=fields)
            return failed
    fields, message = _log_fields(failed, seconds), failed.fault.message
    _logger.warning("attempt failed: %s: %s", about, message, extra=fields)
    return failed


def _log_fields(failed: FailedAttempt, seconds: float | None) -> dict[str, object]:
    """The fields of a log line about a failed attempt, for a log in JSON."""
    fields: dict[str, object] = {"error": failed.fault.message}
    return fields if seconds is None else fields | {"seconds": seconds}


def _failure(
    message: object, code: object, *, again: bool = True, after: object = None
) -> FailedAttempt:
    """Return a failed attempt that the journal and Restate's protocol can carry.

    A user's error may have a code that is not an HTTP error, or a pause in the past.
    Its message may have any length, or contain a lone surrogate.
    """
    valid = code if isinstance(code, int) and code in _CODES else 500
    fault = Fault(status="failed", message=_sendable(message), code=valid)
    return FailedAttempt(fault=fault, again=again, after=_seconds(after))


def _sendable(message: object) -> str:
    text = message if isinstance(message, str) else shown(message)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."


def _seconds(after: object) -> float | None:
    """A pause in seconds, within bounds; None if `after` is not a duration."""
    if isinstance(after, timedelta):
        return min(max(after, timedelta(0)), _LONGEST_PAUSE).total_seconds()
    if isinstance(after, int | float) and after == after:  # noqa: PLR0124 - NaN
        return min(max(float(after), 0.0), _LONGEST_PAUSE.total_seconds())
    return None


def _printable(error: Exception) -> str:
    return formatted(error).encode("utf-8", "backslashreplace").decode()
