"""`FanOutProgress`: how far a run has come, for anyone to read.

`run` sends updates (`ProgressReporter`); what it sends is in its journal, so nothing is
counted twice.
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
from parallelizework.progress.models import NAME, Progress, Record, Update
from parallelizework.progress.reporter import update_json
from parallelizework.restate_sdk import RETRIED_WITHOUT_END
from parallelizework.serde.message import Message

RETENTION = timedelta(days=1)  # as long as Restate keeps the run itself

_NOT_FOUND = 404

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

    @made.handler(input_serde=update_json, **private)
    async def update(ctx: ObjectContext, update: Update) -> bytes:
        """Record how far a run has come."""
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
        """Forget a run, once no update has come for long enough."""
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
