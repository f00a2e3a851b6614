"""`TimeLeft`: when somebody stops this process, such as AWS Lambda at its timeout.

A function that is stopped from outside would be executed again without end. So a call
of a user's function ends before, as an attempt that took too long.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from parallelizework.definition.job import TookTooLong

T = TypeVar("T")


@dataclass(frozen=True)
class TimeLeft:
    """When the work of the current context must have ended.

    Attributes:
        end: The time, by `time.monotonic`.
        reason: What happens then, for messages.
    """

    end: float
    reason: str

    @property
    def seconds(self) -> float:
        """The time until then, in seconds; 0 or less if it has passed."""
        return self.end - monotonic()


_time_left = ContextVar[TimeLeft | None]("parallelizework.time_left", default=None)
_is_limited = ContextVar("parallelizework.is_limited", default=False)


def limit_time(seconds: float, reason: str) -> None:
    """Limit the time of all that the current context executes.

    Args:
        seconds: The time from now, in seconds.
        reason: What happens then, for messages: `AWS Lambda would stop the function`.
    """
    _time_left.set(TimeLeft(monotonic() + seconds, reason))


def time_left() -> TimeLeft | None:
    """Return when the work of the current context must end; None for no limit."""
    return _time_left.get()


def is_limited() -> bool:
    """Whether this code is a function that `within_time_left` calls."""
    return _is_limited.get()


async def within_time_left(function: Callable[[], Awaitable[T]]) -> T:
    """Call a function, and cancel it at the end of the time that is left.

    Raises:
        TookTooLong: The function took longer.
    """
    limit = time_left()
    if limit is None:
        return await function()
    left = max(0.0, limit.seconds)
    too_long = TookTooLong(f"longer than {left:.3g} s: {limit.reason}")
    if left == 0:  # a function that never awaits could not be cancelled
        raise too_long
    timeout = asyncio.timeout(left)
    token = _is_limited.set(True)
    try:
        async with timeout:
            return await function()
    except TimeoutError as error:
        if not timeout.expired():
            raise
        raise too_long from error
    finally:
        _is_limited.reset(token)
