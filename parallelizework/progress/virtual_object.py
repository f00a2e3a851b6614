"""`FanOutProgress`: how far a run has come, for anyone to read.

`run` sends updates (`ProgressReporter`); what it sends is in its journal, so nothing is
counted twice.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from restate import (
    ObjectContext,
    ObjectSharedContext,
    TerminalError,
    VirtualObject,
)
from restate.serde import BytesSerde

from parallelizework.completion import CompletionReason, Counts
from parallelizework.outcomes import Failure, in_order
from parallelizework.restate_sdk import RETRIED_WITHOUT_END
from parallelizework.serde import Message

NAME = "FanOutProgress"
RETENTION = timedelta(days=1)  # as long as Restate keeps the run itself

_SAMPLES = 16  # updates that the rate is taken from
_NOT_FOUND = 404

State = Literal["running", "succeeded", "failed", "cancelled"]


class Update(BaseModel):
    """What `run` tells.

    Attributes:
        total: How many subtasks there are; None while shards are still expanded.
        failures: Those that have not been told before.
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
    """What is kept of a run.

    Attributes:
        started: When the first update came, in seconds since 1970.
        samples: When the last few came, and how many subtasks had ended by then.
    """

    latest: Update
    started: float
    samples: list[tuple[float, int]]
    failures: list[Failure[Any]]

    @classmethod
    def of(cls, update: Update, now: float) -> "Record":
        """A run's first."""
        samples = [(now, update.counts.settled)]
        failures = update.failures
        return cls(latest=update, started=now, samples=samples, failures=failures)

    def updated(self, update: Update, now: float) -> "Record":
        """With one more; one that comes late changes nothing."""
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
    """What anyone may read.

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
        """What a record says."""
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


UPDATE = Message[Update](Update, "an update")
_RECORD = Message[Record](Record, "a record")
_PROGRESS = Message[Progress](Progress, "a run's progress")
_FAILURES = Message[list[Failure[Any]]](list[Failure[Any]], "a run's failures")
_STATE = "record"


def progress_object(retention: timedelta = RETENTION) -> VirtualObject:
    """The virtual object `FanOutProgress`.

    Args:
        retention: How long it remembers a run after its last update.
    """
    made = VirtualObject(
        NAME,
        description="How far the runs of fan-outs have come",
        journal_retention=timedelta(0),
        idempotency_retention=timedelta(0),  # or the server keeps each answer for a day
    )

    private: dict[str, Any] = {
        "ingress_private": True,
        "output_serde": BytesSerde(),
        "invocation_retry_policy": RETRIED_WITHOUT_END,
    }

    @made.handler(input_serde=UPDATE, **private)
    async def update(ctx: ObjectContext, update: Update) -> bytes:
        """Take note of how far a run has come."""
        now = await ctx.time()
        record = await ctx.get(_STATE, serde=_RECORD)
        ctx.set(
            _STATE,
            record.updated(update, now) if record else Record.of(update, now),
            serde=_RECORD,
        )
        if not record:
            ctx.generic_send(NAME, "forget", b"", key=ctx.key(), send_delay=retention)
        return b""

    @made.handler(input_serde=BytesSerde(), **private)
    async def forget(ctx: ObjectContext, _body: bytes) -> bytes:
        """Forget a run of which nothing has been heard for long enough."""
        now = await ctx.time()
        record = await ctx.get(_STATE, serde=_RECORD)
        left = record.samples[-1][0] + retention.total_seconds() - now if record else 0
        if left > 0:
            delay = timedelta(seconds=left)
            ctx.generic_send(NAME, "forget", b"", key=ctx.key(), send_delay=delay)
        else:
            ctx.clear_all()
        return b""

    @made.handler(kind="shared", output_serde=_PROGRESS)
    async def get(ctx: ObjectSharedContext) -> Progress:
        """How far the run has come."""
        return Progress.of(ctx.key(), await _record(ctx))

    @made.handler(kind="shared", output_serde=_FAILURES)
    async def failures(ctx: ObjectSharedContext) -> list[Failure[Any]]:
        """What has failed, as far as there is room for it."""
        return in_order((await _record(ctx)).failures)

    return made


async def _record(ctx: ObjectSharedContext) -> Record:
    record = await ctx.get(_STATE, serde=_RECORD)
    if not record:
        raise TerminalError(
            f"no run {ctx.key()} is known here: it has only just begun, or is not a "
            "fan-out's, or was forgotten",
            _NOT_FOUND,
        )
    return record
