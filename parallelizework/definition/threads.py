"""`Threads`: where sync functions run, several in a row in one thread.

A hop to a thread and back costs more than a short function. So threads take functions
from one queue, and the event loop collects all results that are there at once. A pool
begins with one thread. It adds others while functions wait and take longer than a hop.
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
_TICK = 0.001  # seconds until a queue is looked at: the finest that an event loop has
_RETRY = 1.0  # seconds until the system is asked again for a thread that it refused
_IDLE = 10.0  # seconds until a thread without work ends
# So many abandoned functions for each thread of the pool do not count. One needs about
# 50 kB: with the 256 threads of a fan-out's default that is 50 MB, and fewer threads
# than containers are usually allowed.
_ABANDONED = 4
_MANY = 16  # abandoned functions that are worth a warning; the next is at twice as many


class Threads:
    """A pool of threads.

    A function that is abandoned, as it was cancelled or took too long, runs on to its
    end. Its thread is replaced meanwhile, up to a bound.

    Args:
        most: How many functions may run at once, without the abandoned ones.
        name: Whose they are, for the log.
    """

    def __init__(self, most: int, name: str = "") -> None:
        self._most = most
        self._name = name
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._queue: OrderedDict[Job, None] = OrderedDict()
        self._ended: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        self._total = self._idle = self._abandoned = 0
        self._watcher: asyncio.AbstractEventLoop | None = None
        self._running: set[Job] = set()  # without the abandoned ones
        self._count, self._seconds = 0.0, 0.0  # of the jobs that ended lately
        self._warn_at = _MANY

    async def run(
        self, function: Callable[[], object], seconds: float | None = None
    ) -> Any:
        """The result of a function, called in a thread with the caller's context.

        Args:
            seconds: How long it may take, from when it has a thread.

        Raises:
            TookTooLong: It took longer. Or it waited as long for a thread, while all
                threads were held by abandoned functions.
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
    def is_busy(self) -> bool:
        """Whether a function, or its result, is waited for in this event loop."""
        with self._changed:
            is_there = asyncio.get_running_loop() in self._ended
            return bool(self._queue or self._running or is_there)

    @property
    def is_exhausted(self) -> bool:
        """Abandoned functions hold all threads that there may be."""
        return self._abandoned >= self._allowed

    @property
    def _allowed(self) -> int:
        return self._most + min(self._abandoned, self._most * _ABANDONED)

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
                "%s has no thread left: %d sync functions hang in all that it may "
                "have. Restart this worker, or wait until some of them end",
                self._name,
                self._abandoned,
            )
        if self._abandoned < self._warn_at:
            return
        self._warn_at = 2 * self._abandoned
        _logger.warning(
            "%d sync functions of %s are still running after they timed out or were "
            "cancelled: give what they wait for a timeout of its own. From %d on they "
            "take threads from others, until they end or this worker is restarted",
            self._abandoned,
            self._name,
            self._most * _ABANDONED,
        )

    def _watch(self, loop: asyncio.AbstractEventLoop, delay: float = _TICK) -> None:
        """Look at the queue in a moment, if jobs may need more threads."""
        waiting = len(self._queue) > self._idle and self._total < self._allowed
        if waiting and self._watcher is not loop:
            self._watcher = loop
            loop.call_later(delay, self._grow, loop)

    def _grow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Add threads, where jobs wait that others hold up for longer than a hop."""
        with self._changed:
            waiting = len(self._queue) - self._idle
            room = self._allowed - self._total
            more = max(0, min(self._held_up(), waiting, room))
            self._total += more
            self._watcher, delay = None, _TICK
        try:
            self._start(more)
        except RuntimeError as error:
            _logger.warning("%s continues with fewer threads: %s", self._name, error)
            delay = _RETRY
        with self._changed:
            self._watch(loop, delay)

    def _held_up(self) -> int:
        """How many threads execute a job that takes long; one, where there is none.

        A short job may seem long, as its thread waits for Python's lock. So the jobs of
        the last moments must be long on average too.
        """
        if self._total == self._abandoned:
            return 1
        now = time.monotonic()
        ages = [now - job.began for job in self._running]
        count, seconds = self._count + len(ages), self._seconds + sum(ages)
        self._count, self._seconds = self._count / 2, self._seconds / 2
        return sum(age > _HOP for age in ages) if seconds > count * _HOP else 0

    def _start(self, count: int) -> None:
        """Start threads that are counted already."""
        for started in range(count):
            name = f"{self._name} thread"
            thread = threading.Thread(target=self._serve, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                with self._changed:
                    self._total -= count - started
                raise

    def _serve(self) -> None:
        """Take jobs from the queue, in a thread."""
        while self._serve_one():
            pass

    def _serve_one(self) -> bool:
        job = self._next()
        if job is None:
            return False
        job.execute()
        return self._end(job)

    def _next(self) -> Job | None:
        """The first job of the queue; None after some time without any."""
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
        """Give back a result; whether its thread is still needed."""
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
