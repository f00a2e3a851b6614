"""`TimeLeft`: when somebody stops this process, such as AWS Lambda at its timeout.

A function that is stopped from outside would be executed again without end. So a call
of a user's function ends before, as an attempt that took too long.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from parallelizework.definition.job import TookTooLong

T = TypeVar("T")
_LEAST = 0.01  # seconds; a function without a cleanup needs less
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimeLeft:
    """When the work of the current context must have ended.

    Attributes:
        end: The time, by `time.monotonic`.
        reason: What happens then, for messages.
        grace: How long a canceled function may clean up after `end`, in seconds.
    """

    end: float
    reason: str
    grace: float

    @property
    def seconds(self) -> float:
        """The time until then, in seconds; 0 or less if it has passed."""
        return self.end - monotonic()


@dataclass
class _Call:
    """A call whose time is limited.

    Attributes:
        interruption: Why the call was interrupted; None if it was not.
    """

    interruption: str | None = None


class NoTimeLeft(TookTooLong):
    """No time was left to begin an attempt."""


class Interruption(BaseException):
    """Ends a function that blocks its event loop.

    It is not an `Exception`: a function that handles each `Exception` ends, too.
    """


_time_left = ContextVar[TimeLeft | None]("parallelizework.time_left", default=None)
_call = ContextVar[_Call | None]("parallelizework.limited_call", default=None)


def limit_time(seconds: float, reason: str, *, grace: float = 0.0) -> None:
    """Limit the time of all that the current context executes.

    Args:
        seconds: The time from now, in seconds.
        reason: What happens then, for messages: `AWS Lambda would stop the function`.
        grace: How long a canceled function may clean up afterwards, in seconds.
    """
    _time_left.set(TimeLeft(monotonic() + seconds, reason, grace))


def time_left() -> TimeLeft | None:
    """Return when the work of the current context must end; None for no limit."""
    return _time_left.get()


def interrupt(reason: str) -> None:
    """Interrupt the function that this code executes, if its time is limited.

    Args:
        reason: Why it could not be canceled, and what to change, for the error.

    Raises:
        Interruption: The time of the function is limited.
    """
    if call := _call.get():
        call.interruption = reason
        raise Interruption


async def within_time_left(function: Callable[[], Awaitable[T]]) -> T:
    """Call a function, and cancel it at the end of the time that is left.

    With a limit, the function has a task of its own. If its cleanup takes longer than
    the limit allows, this call ends without it, and the function continues.

    Raises:
        TookTooLong: The function took longer, or was interrupted.
        NoTimeLeft: The function was not called.
    """
    limit = time_left()
    if limit is None:
        return await function()
    left = limit.seconds
    if left <= 0:
        raise NoTimeLeft(f"no time was left for an attempt: {limit.reason}")
    call = _Call()
    task = _started(function, call)
    try:
        await asyncio.wait({task}, timeout=left)
    except asyncio.CancelledError:
        await _end(task, limit)
        raise
    if task.done() and not call.interruption:
        return task.result()
    await _end(task, limit)
    message = f"longer than {left:.3g} s: {limit.reason}"
    raise TookTooLong(". ".join(filter(None, [message, call.interruption])))


def _started(function: Callable[[], Awaitable[T]], call: _Call) -> asyncio.Task[T]:
    async def execute() -> T:
        _call.set(call)
        return await function()

    return asyncio.create_task(execute())


async def _end(task: "asyncio.Task[object]", limit: TimeLeft) -> None:
    """Cancel a task, and wait for its end within the grace of the limit."""
    task.add_done_callback(_ended)
    task.cancel()
    seconds = max(limit.seconds + limit.grace, _LEAST)
    _, pending = await asyncio.wait({task}, timeout=seconds)
    if pending:
        _logger.warning("a function still runs after its cancellation")


def _ended(task: "asyncio.Task[object]") -> None:
    """Take the error of a task; otherwise, asyncio would log it."""
    if not task.cancelled():
        task.exception()
