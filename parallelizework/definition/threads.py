"""`Threads`: a pool of threads for sync functions, made for many short functions.

Sending a function to a thread, and its result back, is a hop. A hop costs more than a
short function. So all threads share one queue, and the event loop collects all finished
results at once. A pool starts with one thread. The pool adds threads while functions
wait in the queue and the running functions take longer than a hop.

Who changes what: the event loops submit jobs, abandon them, and grow the pool
(`_submit`, `_abandon`, `_grow`). The threads take jobs and end them (`_next`, `_end`).
`_changed` guards all of this state. `_deliver` runs in the event loop of the caller.
"""

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from parallelizework.definition.job import Clock, Job

_logger = logging.getLogger(__name__)

_HOP = 0.0003  # seconds; measured: `python -m benchmarks.hops`
_TICK = 0.001  # seconds between checks of the queue: the resolution of an event loop
_RETRY = 1.0  # seconds until the pool asks again after the system refused a thread
_IDLE = 10.0  # seconds until a thread without work ends
# The pool replaces the threads of abandoned functions, up to this number for each of
# its own threads. A thread needs about 50 kB. With the default of 256 threads, that is
# 50 MB, and fewer threads than containers usually allow.
_ABANDONED = 4
_MANY = 16  # abandoned functions at the first warning; the next one is at twice as many


class Threads:
    """A pool of threads.

    Python cannot stop a function in a thread. So a function that was cancelled, or that
    timed out, is abandoned: it runs to its end, and nobody waits for it. Until then the
    pool has another thread instead, up to a limit.

    Args:
        max_threads: How many functions may run at the same time, in addition to the
            abandoned ones.
        name: The fan-out that the functions belong to, for messages.
    """

    def __init__(self, max_threads: int, name: str = "") -> None:
        self._max_threads = max_threads
        self.name = name
        self._changed = threading.Condition(threading.Lock())  # guards all state below
        self._queue: OrderedDict[Job, None] = OrderedDict()
        self._ended: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        self._total = self._idle = self._abandoned = 0
        self._watcher: asyncio.AbstractEventLoop | None = None
        self._running: set[Job] = set()  # without the abandoned ones
        self._count, self._seconds = 0.0, 0.0  # number and time of recently ended jobs
        self._warn_at = _MANY

    async def run(
        self, function: Callable[[], object], seconds: float | None = None
    ) -> Any:
        """Call a function in a thread, with the caller's context; return its result.

        Args:
            function: The function.
            seconds: How long the function may take, once it has a thread.

        Raises:
            TookTooLong: The function took longer. Or it waited as long for a thread,
                while abandoned functions held all threads.
        """
        loop = asyncio.get_running_loop()
        job = Job(function, copy_context(), loop.create_future())
        clock = None
        if seconds is not None:
            clock = Clock(job, seconds, is_exhausted=lambda: self.is_exhausted)
        try:
            self._submit(job, loop)
            return await job.future
        finally:
            if clock:
                clock.stop()
            if not job.has_ended:
                self._abandon(job, loop)

    @property
    def max_threads(self) -> int:
        """How many functions may run at the same time, without the abandoned ones."""
        return self._max_threads

    @property
    def busy(self) -> int:
        """How many threads execute a function now, without the abandoned ones."""
        return len(self._running)

    @property
    def abandoned(self) -> int:
        """How many abandoned functions still run."""
        return self._abandoned

    @property
    def is_busy(self) -> bool:
        """Whether this event loop waits for a function or for its result."""
        with self._changed:
            has_results = asyncio.get_running_loop() in self._ended
            return bool(self._queue or self._running or has_results)

    @property
    def is_exhausted(self) -> bool:
        """Whether abandoned functions hold all threads that the pool may have."""
        return self._abandoned >= self._allowed

    @property
    def _allowed(self) -> int:
        """How many threads the pool may have now."""
        replaced = min(self._abandoned, self._max_threads * _ABANDONED)
        return self._max_threads + replaced

    def _submit(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        with self._changed:
            self._queue[job] = None
            self._changed.notify()
            first = 0 if self._total else 1
            self._total += first
            self._watch(loop)
        self._start(first)

    def _abandon(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        with self._changed:
            if job in self._queue:
                del self._queue[job]
            elif not job.has_ended:
                job.is_abandoned = True
                self._running.remove(job)
                self._abandoned += 1
                self._watch(loop)
        self._warn()

    def _warn(self) -> None:
        if self.is_exhausted:
            _logger.error(
                "%s has no free thread: %d sync functions hang in all of its threads. "
                "Restart this worker, or wait until some of them end",
                self.name,
                self._abandoned,
            )
        if self._abandoned < self._warn_at:
            return
        self._warn_at = 2 * self._abandoned
        _logger.warning(
            "%d sync functions of %s are still running after they timed out or were "
            "cancelled: set a timeout for the I/O in these functions. If more than %d "
            "are still running, fewer threads are left for other functions",
            self._abandoned,
            self.name,
            self._max_threads * _ABANDONED,
        )

    def _watch(self, loop: asyncio.AbstractEventLoop, delay: float = _TICK) -> None:
        """Check the queue again soon, if waiting jobs may need more threads."""
        waiting = len(self._queue) > self._idle and self._total < self._allowed
        if waiting and self._watcher is not loop:
            self._watcher = loop
            loop.call_later(delay, self._grow, loop)

    def _grow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Add threads if jobs wait while other jobs take longer than a hop."""
        with self._changed:
            waiting = len(self._queue) - self._idle
            allowed = self._allowed - self._total
            added = max(0, min(self._slow_jobs(), waiting, allowed))
            self._total += added
            self._watcher, delay = None, _TICK
        try:
            self._start(added)
        except RuntimeError as error:
            _logger.warning("%s continues with fewer threads: %s", self.name, error)
            delay = _RETRY
        with self._changed:
            self._watch(loop, delay)

    def _slow_jobs(self) -> int:
        """How many jobs have been running for longer than a hop.

        1 if no thread executes a job. A short job may seem long, because its thread
        waits for Python's global lock. So recent jobs must be long on average too.
        """
        if self._total == self._abandoned:
            return 1
        now = time.monotonic()
        ages = [now - job.began for job in self._running]
        count, seconds = self._count + len(ages), self._seconds + sum(ages)
        self._count, self._seconds = self._count / 2, self._seconds / 2
        return sum(age > _HOP for age in ages) if seconds > count * _HOP else 0

    def _start(self, count: int) -> None:
        """Start threads, which `_total` includes already."""
        for started in range(count):
            name = f"{self.name} thread"
            thread = threading.Thread(target=self._serve, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                with self._changed:
                    self._total -= count - started
                raise

    def _serve(self) -> None:
        """Execute jobs from the queue: what a thread of the pool does."""
        while self._serve_one():
            pass

    def _serve_one(self) -> bool:
        job = self._next()
        if job is None:
            return False
        job.execute()
        return self._end(job)

    def _next(self) -> Job | None:
        """Wait for the first job of the queue; None after some time without a job."""
        with self._changed:
            while not self._queue:
                self._idle += 1
                is_new = self._changed.wait(_IDLE)
                self._idle -= 1
                if not is_new and not self._queue:
                    self._total -= 1
                    return None
            job, _ = self._queue.popitem(last=False)
            job.began = time.monotonic()
            self._running.add(job)
            return job

    def _end(self, job: Job) -> bool:
        """Hand over a job's result; return whether its thread is still needed."""
        loop = job.future.get_loop()
        with self._changed:
            job.has_ended = True
            if job.is_abandoned:
                self._abandoned -= 1
                surplus = self._total > self._allowed
                self._total -= surplus
                return not surplus
            self._running.remove(job)
            self._count += 1
            self._seconds += time.monotonic() - job.began
            ended = self._ended.setdefault(loop, [])
            ended.append(job)
            is_first = len(ended) == 1
        if is_first:
            self._wake(loop)
        return True

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._deliver, loop)
        except RuntimeError:  # the loop is closed: nobody waits any more
            with self._changed:
                self._ended.pop(loop, None)

    def _deliver(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._changed:
            ended = self._ended.pop(loop, [])
        for job in ended:
            job.deliver()
