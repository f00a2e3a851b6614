"""`MetricsObserver`: counts what a worker executes."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from prometheus_client import REGISTRY, CollectorRegistry

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
    """Counts what a worker executes."""

    def __init__(self, metrics: WorkerMetrics, threads: ThreadMetrics) -> None:
        self._metrics = metrics
        self._threads = threads

    @contextmanager
    def attempt(self, attempt: ObservedAttempt) -> Generator[None]:
        """Count an attempt while it executes, and at its end."""
        metrics, fan_out = self._metrics, attempt.service
        if attempt.is_sync:
            self._threads.watch()
        gauges = []
        if attempt.role == "execute":
            gauges = [metrics.busy.labels(fan_out)]
            if not attempt.is_in_batch:  # a call of one subtask: it has one slot
                gauges += [metrics.in_flight.labels(fan_out)]
                gauges += [metrics.leased.labels(fan_out)]
        for gauge in gauges:
            gauge.inc()
        try:
            yield
        finally:
            for gauge in gauges:
                gauge.dec()
            self._end(attempt)

    def _end(self, attempt: ObservedAttempt) -> None:
        metrics, fan_out, role = self._metrics, attempt.service, attempt.role
        if attempt.status == "suspended":  # it is executed again
            return
        metrics.attempts.labels(fan_out, role, attempt.status).inc()
        if not attempt.is_handler_code:
            metrics.seconds.labels(fan_out, role).observe(attempt.seconds)

    @contextmanager
    def batch(self, batch: ObservedBatch) -> Generator[None]:
        """Count the subtasks and the slots of a batch while the batch executes."""
        metrics, fan_out = self._metrics, batch.service
        metrics.sizes.labels(fan_out).observe(batch.subtasks)
        in_flight = metrics.in_flight.labels(fan_out)
        leased = metrics.leased.labels(fan_out)
        in_flight.inc(batch.subtasks)
        leased.inc(batch.slots)
        try:
            yield
        finally:
            in_flight.dec(batch.subtasks)
            leased.dec(batch.slots)

    def subtask_ended(
        self, service: str, status: SubtaskStatus, *, has_waited: bool
    ) -> None:
        """Count a subtask that has ended, or waits now."""
        if status == "waiting":
            self._metrics.waits_started.labels(service).inc()
            return
        self._metrics.subtasks.labels(service, status).inc()
        if has_waited:
            self._metrics.waits.labels(service, status).inc()

    def run_started(self, service: str) -> None:
        """Count a run that has started."""
        self._metrics.runs_started.labels(service).inc()

    def run_ended(self, service: str, state: State) -> None:
        """Count a run that has ended."""
        self._metrics.runs.labels(service, state).inc()
