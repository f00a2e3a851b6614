"""`WorkerMetrics`: all metrics of a worker, with their labels."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from parallelizework.definition.definition import Definition
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.definition.function import Function
from parallelizework.fan_out import FanOut
from parallelizework.metrics.threads import ThreadGauges
from parallelizework.served import Servable, Served

_SUBTASKS = ("succeeded", "failed", "timed_out", "cancelled")
_ATTEMPTS = (*_SUBTASKS, "postponed")
_RUNS = ("succeeded", "failed", "cancelled")
# Seconds: 5 ms to 10 minutes.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096, 16_384)


class WorkerMetrics:
    """The metrics of a worker. Prometheus reads counters with the ending `_total`.

    If a worker has several processes, Prometheus reads sums: counters of all processes,
    also of those that have died, and gauges of those that live.

    Args:
        registry: The registry of the metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            name = f"parallelizework_{name}"
            return Counter(name, text, ("fan_out", *labels), registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(
                f"parallelizework_{name}",
                text,
                ["fan_out"],
                registry=registry,
                multiprocess_mode="livesum",
            )

        def histogram(
            name: str, text: str, buckets: Sequence[float], *labels: str
        ) -> Histogram:
            name, labels = f"parallelizework_{name}", ("fan_out", *labels)
            return Histogram(name, text, labels, registry=registry, buckets=buckets)

        self.subtasks = counter("subtasks", "Subtasks that have ended.", "outcome")
        self.in_flight = gauge(
            "subtasks_in_flight", "Subtasks of the calls that the worker executes."
        )
        self.attempts = counter(
            "attempts", "Attempts that have ended.", "function", "outcome"
        )
        self.seconds = histogram(
            "attempt_seconds", "How long an attempt took.", _SECONDS, "function"
        )
        self.sizes = histogram("batch_subtasks", "Subtasks of a batch.", _SIZES)
        self.leased = gauge("slots_leased", "Slots of the calls that execute.")
        self.busy = gauge("slots_busy", "Slots whose function executes.")
        self.runs_started = counter("runs_started", "Runs that have started.")
        self.runs = counter("runs", "Runs that have ended.", "state")
        self.waits_started = counter(
            "waits_started", "Subtasks that have begun to wait for an answer."
        )
        self.waits = counter("waits", "Subtasks whose wait has ended.", "outcome")
        self.threads = ThreadGauges(
            gauge("threads_busy", "Threads that execute a function."),
            gauge("threads_abandoned", "Functions that still run after their timeout."),
            gauge("threads_limit", "Threads that may execute a function at once."),
        )
        info = Gauge(
            "parallelizework_info",
            "The version of parallelizework.",
            ["version"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        info.labels(version("parallelizework")).set(1)

    def begin(self, served: Iterable[Served]) -> None:
        """Let the metrics of fan-outs and executors begin with 0.

        Otherwise, Prometheus would not see the first increase of a counter.
        """
        for each in served:
            if isinstance(each, FanOut):
                self._begin_runs(each.definition)
            if isinstance(each, Servable) and each.executes:
                self._begin_subtasks(each.executes)

    def _begin_runs(self, definition: Definition) -> None:
        self.runs_started.labels(definition.name)
        for state in _RUNS:
            self.runs.labels(definition.name, state)
        self._begin_attempts(
            definition.name,
            definition.split,
            definition.expand,
            definition.combine,
            definition.aggregate,
        )

    def _begin_subtasks(self, execute: ExecuteDefinition) -> None:
        name = execute.name
        for gauge in (self.in_flight, self.leased, self.busy):
            gauge.labels(name)
        self.sizes.labels(name)
        for outcome in _SUBTASKS:
            self.subtasks.labels(name, outcome)
        if execute.may_wait:
            self.waits_started.labels(name)
            for outcome in _SUBTASKS:
                self.waits.labels(name, outcome)
        self._begin_attempts(name, execute.function, execute.remind, execute.receive)

    def _begin_attempts(self, name: str, *functions: Function | None) -> None:
        for function in functions:
            if function:
                self.seconds.labels(name, function.role)
                for outcome in _ATTEMPTS:
                    self.attempts.labels(name, function.role, outcome)
