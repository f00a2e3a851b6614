"""`FanOutProgress`: the virtual object that stores the progress of each run.

`run` sends updates (`ProgressReporter`). The updates are in the journal of `run`, so a
replay sends no update twice.
"""

from datetime import timedelta
from typing import Any

from restate import (
    ObjectContext,
    ObjectSharedContext,
    TerminalError,
    VirtualObject,
)
from restate.serde import BytesSerde

from parallelizework.outcomes import Failure, in_order
from parallelizework.progress.models import LABEL, NAME, Progress, Record, Update
from parallelizework.progress.reporter import update_json
from parallelizework.restate_sdk import RETRIED_WITHOUT_END
from parallelizework.serde.message import Message

RETENTION = timedelta(days=1)  # as long as Restate keeps the run itself by default

_NOT_FOUND = 404

_RECORD = Message[Record](Record, "a record")
_PROGRESS = Message[Progress](Progress, "a run's progress")
_FAILURES = Message[list[Failure[Any]]](list[Failure[Any]], "a run's failures")
_STATE = "record"


def progress_object(retention: timedelta = RETENTION) -> VirtualObject:
    """Return the virtual object `FanOutProgress`. Its key is the id of a run.

    Args:
        retention: How long the object keeps a run after the run's last update.
    """
    progress = VirtualObject(
        NAME,
        description="The progress of the runs of fan-outs",
        journal_retention=timedelta(0),
        # By default, the server would keep each answer for a day.
        idempotency_retention=timedelta(0),
    )

    private: dict[str, Any] = {
        "ingress_private": True,
        "output_serde": BytesSerde(),
        "invocation_retry_policy": RETRIED_WITHOUT_END,
    }

    @progress.handler(input_serde=update_json, **private)
    async def update(ctx: ObjectContext, update: Update) -> bytes:
        """Store an update of a run."""
        now = await ctx.time()
        record = await ctx.get(_STATE, serde=_RECORD)
        ctx.set(
            _STATE,
            record.updated(update, now) if record else Record.of(update, now),
            serde=_RECORD,
        )
        if not record:
            for key, value in update.labels.items():  # `Sql` finds the run by them
                ctx.set(LABEL + key, value.encode(), serde=BytesSerde())
            ctx.generic_send(NAME, "forget", b"", key=ctx.key(), send_delay=retention)
        return b""

    @progress.handler(input_serde=BytesSerde(), **private)
    async def forget(ctx: ObjectContext, _body: bytes) -> bytes:
        """Forget a run if its retention has passed; otherwise check again later."""
        now = await ctx.time()
        record = await ctx.get(_STATE, serde=_RECORD)
        left = record.samples[-1][0] + retention.total_seconds() - now if record else 0
        if left > 0:
            delay = timedelta(seconds=left)
            ctx.generic_send(NAME, "forget", b"", key=ctx.key(), send_delay=delay)
        else:
            ctx.clear_all()
        return b""

    @progress.handler(kind="shared", output_serde=_PROGRESS)
    async def get(ctx: ObjectSharedContext) -> Progress:
        """Return the progress of the run."""
        return Progress.of(ctx.key(), await _record(ctx))

    @progress.handler(kind="shared", output_serde=_FAILURES)
    async def failures(ctx: ObjectSharedContext) -> list[Failure[Any]]:
        """Return the first failures of the run, up to 256 KiB."""
        return in_order((await _record(ctx)).failures)

    return progress


async def _record(ctx: ObjectSharedContext) -> Record:
    record = await ctx.get(_STATE, serde=_RECORD)
    if not record:
        raise TerminalError(
            f"the run {ctx.key()} is unknown: it started less than a second ago, or it "
            "succeeded within half a second, or it is not a run of a fan-out, or its "
            "retention has passed",
            _NOT_FOUND,
        )
    return record
