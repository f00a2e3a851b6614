"""The messages that `FanOutProgress` receives, stores and answers. Pure."""

import operator
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from parallelizework.outcomes import CompletionReason, Counts, Failure

NAME = "FanOutProgress"
LABEL = "label."  # the first part of a key in its state; the key of the label follows

_SAMPLES = 16  # the number of latest updates that the rate is computed from

State = Literal["running", "held", "succeeded", "failed", "cancelled"]
_UNDECIDED = ("running", "held")


class Update(BaseModel):
    """An update from `run`.

    Attributes:
        fan_out: The name of the fan-out.
        total: The number of subtasks; None while it is unknown, because shards are
            still expanded.
        counts: How many subtasks have ended, by outcome.
        failures: The failures since the last update.
        state: The state of the run.
        completion_reason: Why the run ended, if a rule ended it.
        error: The message of the error, if the run failed or is held.
        redrive_of: The id of the run that this run redrives, if any.
        is_restart: The run was held, and executes subtasks again: forget what earlier
            updates have reported.
        labels: The labels of the run. JSON has this field only if there are labels.
        waiting: How many subtasks wait for an answer.
    """

    model_config = ConfigDict(frozen=True)

    fan_out: str
    total: int | None
    counts: Counts
    failures: list[Failure[Any]] = []
    state: State = "running"
    completion_reason: CompletionReason | None = None
    error: str | None = None
    redrive_of: str | None = None
    is_restart: bool = False
    labels: dict[str, str] = Field(default={}, exclude_if=operator.not_)
    waiting: int = Field(default=0, exclude_if=operator.not_)


class Record(BaseModel):
    """The state that `FanOutProgress` stores for a run.

    Attributes:
        latest: The last update.
        started: The time of the first update, in seconds since 1970.
        samples: For each of the latest updates, its time and how many subtasks had
            ended.
        failures: The failures of all updates.
    """

    model_config = ConfigDict(frozen=True)

    latest: Update
    started: float
    samples: list[tuple[float, int]]
    failures: list[Failure[Any]]

    @classmethod
    def of(cls, update: Update, now: float) -> "Record":
        """Return the record of a run after its first update."""
        samples = [(now, update.counts.settled)]
        failures = update.failures
        return cls(latest=update, started=now, samples=samples, failures=failures)

    @classmethod
    def of_all(cls, updates: Iterable[tuple[float, Update]]) -> "Record | None":
        """Return the record of a run after these updates, each with its time."""
        record = None
        for now, update in updates:
            record = record.updated(update, now) if record else cls.of(update, now)
        return record

    def updated(self, update: Update, now: float) -> "Record":
        """Return the record with one more update. A late update changes nothing."""
        settled = update.counts.settled
        if update.is_restart:
            samples = [(now, settled)]
            return self.model_copy(
                update={"latest": update, "samples": samples, "failures": []}
            )
        is_late = update.state == "running" and settled < self.samples[-1][1]
        if self.latest.state not in _UNDECIDED or is_late:
            return self
        return Record(
            latest=update,
            started=self.started,
            samples=[*self.samples, (now, settled)][-_SAMPLES:],
            failures=self.failures + update.failures,
        )


class Progress(Counts):
    """The progress of a run.

    Attributes:
        succeeded: How many subtasks have succeeded.
        failed: How many subtasks have failed.
        timed_out: How many subtasks have exceeded `subtask_timeout`, or their last
            attempt has exceeded `attempt_timeout`.
        cancelled: How many subtasks were cancelled.
        run: The id of the run.
        fan_out: The name of the fan-out.
        state: `running`, `held`, `succeeded`, `failed` or `cancelled`. A run that is
            `held` waits for a redrive.
        total: The number of subtasks. `None` while it is unknown, because shards are
            still expanded.
        percent: How many percent of all subtasks have ended: 0 to 100. `None` while
            `total` is unknown.
        rate: How many subtasks ended per second recently. After the end of the run, the
            average of the whole run.
        eta: The number of seconds from `updated` to the end, at this rate.
        started: The time of the first update.
        updated: The time of the last update.
        completion_reason: Why the run ended, if a rule ended it.
        error: The message of the error, if the run failed or is held.
        redrive_of: The id of the run that this run redrives, if any.
        labels: The labels of the run.
        waiting: How many subtasks wait for an answer from outside. They have not ended.
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
    labels: dict[str, str]
    redrive_of: str | None = None
    waiting: int = 0

    @classmethod
    def of(cls, run: str, record: Record) -> "Progress":
        """Return the progress that a record contains."""
        latest, updated = record.latest, record.samples[-1][0]
        total, settled = latest.total, latest.counts.settled
        rate = _rate(record)
        left = None if total is None else total - settled
        return cls(
            run=run,
            labels=latest.labels,
            **latest.model_dump(
                include={
                    "fan_out",
                    "state",
                    "total",
                    "completion_reason",
                    "error",
                    "redrive_of",
                    "waiting",
                }
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
