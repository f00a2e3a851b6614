"""`ThreadMetrics`: how many threads of the sync functions are busy or abandoned."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from prometheus_client import Gauge

from parallelizework.definition.threads import Threads
from parallelizework.served import Servable, Served

_TICK = 1.0  # seconds; Prometheus reads metrics less often


class ThreadGauges(NamedTuple):
    """The gauges of the threads: busy ones, abandoned functions, and the limit."""

    busy: Gauge
    abandoned: Gauge
    limit: Gauge


class ThreadMetrics:
    """Samples the threads each second, as long as functions run in threads.

    There is no event at the end of an abandoned function. So there is a timer.

    Args:
        gauges: The gauges to set.
        pools: The threads of `execute` of each service.
    """

    def __init__(self, gauges: ThreadGauges, pools: Mapping[str, Threads]) -> None:
        self._gauges = gauges
        self._pools = pools
        self._loop: asyncio.AbstractEventLoop | None = None  # the loop of the timer
        for name, threads in pools.items():
            gauges.limit.labels(name).set(threads.max_threads)
        self._sample()

    def watch(self) -> None:
        """Sample the threads in a second, and again while functions run."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(_TICK, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._sample():
            loop.call_later(_TICK, self._tick, loop)
        else:
            self._loop = None

    def _sample(self) -> bool:
        """Set the metrics; return whether a function runs in a thread."""
        is_running = False
        for name, threads in self._pools.items():
            busy, abandoned = threads.busy, threads.abandoned
            self._gauges.busy.labels(name).set(busy)
            self._gauges.abandoned.labels(name).set(abandoned)
            is_running = is_running or busy > 0 or abandoned > 0
        return is_running


def pools_of(served: Iterable[Served]) -> dict[str, Threads]:
    """Return the threads of the sync `execute` of each fan-out and executor."""
    executes = (each.executes for each in served if isinstance(each, Servable))
    return {
        execute.name: execute.function.threads
        for execute in executes
        if execute and not execute.function.is_async
    }
