"""`Job`: one call of a sync function in a thread, and `Clock`: how long it may take."""

import asyncio
import math
import time
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass


class TookTooLong(Exception):
    """A function took longer than it may."""


@dataclass(eq=False, slots=True)
class Job:
    """One call of a sync function in a thread.

    Attributes:
        context: What the function sees of context variables.
        future: Of what it returns or raises, in the event loop of the one who waits.
        began: When it got its thread, by `time.monotonic`; infinity before.
        has_ended: The function has returned or raised.
        is_abandoned: Nobody waits for it any more, but it is still running.
    """

    function: Callable[[], object]
    context: Context
    future: asyncio.Future[object]
    began: float = math.inf
    has_ended: bool = False
    is_abandoned: bool = False
    _result: object = None
    _error: BaseException | None = None

    def execute(self) -> None:
        """Call the function, in this thread; nothing that it raises ends the thread."""
        try:
            self._result = self.context.run(self.function)
        except StopIteration as error:  # a future cannot carry it
            self._error = RuntimeError(f"it raised {error!r}")
        except BaseException as error:
            self._error = error

    def deliver(self) -> None:
        """Resolve the future, in its event loop, unless nobody waits any more."""
        if self.future.done():
            return
        if self._error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(self._error)


class Clock:
    """Has a job's future raise `TookTooLong` after a time that begins in its thread.

    A job that has no thread yet has all of its time. But when abandoned jobs hold all
    threads, none may ever be free: then it may wait for one so long, and no longer.

    Args:
        is_exhausted: Whether abandoned jobs hold all threads.
    """

    def __init__(
        self, job: Job, seconds: float, is_exhausted: Callable[[], bool]
    ) -> None:
        self._job = job
        self._seconds = seconds
        self._is_exhausted = is_exhausted
        self._loop = job.future.get_loop()
        self._timer = self._loop.call_later(seconds, self._check)

    def stop(self) -> None:
        """Let the job alone."""
        self._timer.cancel()

    def _check(self) -> None:
        left, message = self._seconds, f"longer than {self._seconds:g} s"
        if self._job.began < math.inf:
            left += self._job.began - time.monotonic()
        elif self._is_exhausted():
            left, message = (
                0,
                f"{message} to get a thread: functions that hang hold all",
            )
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        elif not self._job.future.done():
            self._job.future.set_exception(TookTooLong(message))
