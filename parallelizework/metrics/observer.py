"""`MetricsObserver`: counts what a worker executes."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache

from prometheus_client import REGISTRY, CollectorRegistry, Gauge

from parallelizework.metrics.threads import ThreadMetrics, pools_of
from parallelizework.metrics.worker_metrics import WorkerMetrics
from parallelizework.observation.observed import (
    ObservedAttempt,
    ObservedBatch,
    SubtaskStatus,
)
from parallelizework.observation.observer import Observer, observe
from parallelizework.progress.models import State
from parallelizework.served import Served


def observed_by_metrics(
    served: Sequence[Served], registry: CollectorRegistry | None
) -> None:
    """Count what this process executes; arguments as for `observe_metrics`."""
    metrics = WorkerMetrics(registry or REGISTRY)
    metrics.begin(served)
    observe(MetricsObserver(metrics, ThreadMetrics(metrics.threads, pools_of(served))))


class MetricsObserver(Observer):
    """Counts what a worker executes.

    The methods are called for each subtask. So the metrics of each set of labels are
    cached: prometheus_client needs more time to find them.
    """

    def __init__(self, metrics: WorkerMetrics, threads: ThreadMetrics) -> None:
        self._threads = threads
        self._subtasks = cache(metrics.subtasks.labels)
        self._in_flight = cache(metrics.in_flight.labels)
        self._attempts = cache(metrics.attempts.labels)
        self._seconds = cache(metrics.seconds.labels)
        self._sizes = cache(metrics.sizes.labels)
        self._leased = cache(metrics.leased.labels)
        self._busy = cache(metrics.busy.labels)
        self._runs_started = cache(metrics.runs_started.labels)
        self._runs = cache(metrics.runs.labels)
        self._waits_started = cache(metrics.waits_started.labels)
        self._waits = cache(metrics.waits.labels)

    @contextmanager
    def attempt(self, attempt: ObservedAttempt) -> Generator[None]:
        """Count an attempt while it executes, and at its end."""
        if attempt.is_sync:
            self._threads.watch()
        gauges = self._gauges(attempt)
        for gauge in gauges:
            gauge.inc()
        try:
            yield
        finally:
            for gauge in gauges:
                gauge.dec()
            self._end(attempt)

    def _gauges(self, attempt: ObservedAttempt) -> tuple[Gauge, ...]:
        """The gauges that an attempt increases while it executes."""
        fan_out = attempt.service
        if attempt.role != "execute":
            return ()
        if attempt.is_in_batch:
            return (self._busy(fan_out),)
        # A call of one subtask has one slot.
        return self._busy(fan_out), self._leased(fan_out), self._in_flight(fan_out)

    def _end(self, attempt: ObservedAttempt) -> None:
        fan_out, role = attempt.service, attempt.role
        if attempt.status == "suspended":  # it is executed again
            return
        self._attempts(fan_out, role, attempt.status).inc()
        if not attempt.is_handler_code:
            self._seconds(fan_out, role).observe(attempt.seconds)

    @contextmanager
    def batch(self, batch: ObservedBatch) -> Generator[None]:
        """Count the subtasks and the slots of a batch while the batch executes."""
        fan_out = batch.service
        self._sizes(fan_out).observe(batch.subtasks)
        self._in_flight(fan_out).inc(batch.subtasks)
        self._leased(fan_out).inc(batch.slots)
        try:
            yield
        finally:
            self._in_flight(fan_out).dec(batch.subtasks)
            self._leased(fan_out).dec(batch.slots)

    def subtask_ended(
        self, service: str, status: SubtaskStatus, *, has_waited: bool
    ) -> None:
        """Count a subtask that has ended, or waits now."""
        if status == "waiting":
            self._waits_started(service).inc()
            return
        self._subtasks(service, status).inc()
        if has_waited:
            self._waits(service, status).inc()

    def run_started(self, service: str) -> None:
        """Count a run that has started."""
        self._runs_started(service).inc()

    def run_ended(self, service: str, state: State) -> None:
        """Count a run that has ended."""
        self._runs(service, state).inc()
