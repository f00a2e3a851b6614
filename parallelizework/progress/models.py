"""What `FanOutProgress` receives, keeps and answers. Pure."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from parallelizework.outcomes import CompletionReason, Counts, Failure

NAME = "FanOutProgress"

_SAMPLES = 16  # updates that the rate is taken from

State = Literal["running", "succeeded", "failed", "cancelled"]


class Update(BaseModel):
    """What `run` sends.

    Attributes:
        total: How many subtasks there are; None while shards are still expanded.
        failures: Those that are new since the last update.
    """

    model_config = ConfigDict(frozen=True)

    fan_out: str
    total: int | None
    counts: Counts
    failures: list[Failure[Any]] = []
    state: State = "running"
    completion_reason: CompletionReason | None = None
    error: str | None = None


class Record(BaseModel):
    """What `FanOutProgress` keeps of a run.

    Attributes:
        started: When the first update came, in seconds since 1970.
        samples: When the last few came, and how many subtasks had ended by then.
    """

    model_config = ConfigDict(frozen=True)

    latest: Update
    started: float
    samples: list[tuple[float, int]]
    failures: list[Failure[Any]]

    @classmethod
    def of(cls, update: Update, now: float) -> "Record":
        """The record of a run's first update."""
        samples = [(now, update.counts.settled)]
        failures = update.failures
        return cls(latest=update, started=now, samples=samples, failures=failures)

    def updated(self, update: Update, now: float) -> "Record":
        """The record with one more update; one that comes late changes nothing."""
        settled = update.counts.settled
        is_late = update.state == "running" and settled < self.samples[-1][1]
        if self.latest.state != "running" or is_late:
            return self
        return Record(
            latest=update,
            started=self.started,
            samples=[*self.samples, (now, settled)][-_SAMPLES:],
            failures=self.failures + update.failures,
        )


class Progress(Counts):
    """How far a run has come, as anyone may read.

    Attributes:
        total: How many subtasks there are; None while shards are still expanded.
        percent: How many of them have ended.
        rate: How many ended in a second, lately; over all, once the run has ended.
        eta: The seconds from `updated` to the end, at that rate.
        error: Why the run failed.
    """

    run: str
    fan_out: str
    state: State
    total: int | None
    percent: float | None
    rate: float | None
    eta: float | None
    started: datetime
    updated: datetime
    completion_reason: CompletionReason | None
    error: str | None

    @classmethod
    def of(cls, run: str, record: Record) -> "Progress":
        """The progress in a record."""
        latest, updated = record.latest, record.samples[-1][0]
        total, settled = latest.total, latest.counts.settled
        rate = _rate(record)
        left = None if total is None else total - settled
        return cls(
            run=run,
            **latest.model_dump(
                include={"fan_out", "state", "total", "completion_reason", "error"}
            ),
            **latest.counts.model_dump(),
            percent=None if total is None else _percent(settled, total),
            rate=rate,
            eta=left / rate if rate and left is not None else None,
            started=datetime.fromtimestamp(record.started, UTC),
            updated=datetime.fromtimestamp(updated, UTC),
        )


def _percent(settled: int, total: int) -> float:
    return round(100 * settled / total, 1) if total else 100.0


def _rate(record: Record) -> float | None:
    (first, before), (last, after) = record.samples[0], record.samples[-1]
    if record.latest.state != "running":
        first, before = record.started, 0
    return round((after - before) / (last - first), 2) if last > first else None
