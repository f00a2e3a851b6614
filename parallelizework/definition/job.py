"""`Job`: one call of a sync function in a thread, and `Clock`: its timeout."""

import asyncio
import math
import time
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass


class TookTooLong(Exception):
    """A function exceeded its timeout."""


@dataclass(eq=False, slots=True)
class Job:
    """One call of a sync function in a thread.

    Attributes:
        function: The function, without parameters.
        context: The context variables that the function sees.
        future: The result, for the caller in its event loop.
        began: When the job got its thread, by `time.monotonic`; infinity before.
        has_ended: The function has returned or raised.
        is_abandoned: The function still runs, but nobody waits for it any more.
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
        """Call the function, in this thread. No exception ends the thread."""
        try:
            self._result = self.context.run(self.function)
        except StopIteration as error:  # a future cannot carry it
            self._error = RuntimeError(f"it raised {error!r}")
        except BaseException as error:
            self._error = error

    def deliver(self) -> None:
        """Resolve the future, in its event loop, unless it is resolved or cancelled."""
        if self.future.done():
            return
        if self._error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(self._error)


class Clock:
    """Makes a job's future raise `TookTooLong` after a timeout.

    The time starts when the job gets a thread. Waiting for a thread does not count,
    with one exception: if abandoned jobs hold all threads, maybe no thread is ever
    free. Then the job may wait for a thread as long as its timeout.

    Args:
        job: The job.
        seconds: The timeout.
        is_exhausted: Returns whether abandoned jobs hold all threads.
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
        """Stop the clock: the job has ended, or nobody waits for it."""
        self._timer.cancel()

    def _check(self) -> None:
        left, message = self._seconds, f"longer than {self._seconds:g} s"
        if self._job.began < math.inf:
            left += self._job.began - time.monotonic()
        elif self._is_exhausted():
            left = 0
            message += " to get a thread: functions that hang hold all threads"
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        elif not self._job.future.done():
            self._job.future.set_exception(TookTooLong(message))
