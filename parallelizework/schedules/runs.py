"""`RunStarter`: starts the runs of a schedule, and waits for their ends."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import restate
from pydantic_core import from_json, to_json
from restate import ObjectContext, ObjectSharedContext, TerminalError
from restate.serde import BytesSerde

from parallelizework.schedules.models import (
    NAME,
    Due,
    End,
    ScheduledRun,
    SchedulePlan,
    ScheduleState,
    Start,
)
from parallelizework.schedules.overlap import Decision, decided, next_queued
from parallelizework.schedules.sending import started
from parallelizework.serde.message import Message
from parallelizework.terminal_errors import is_cancelled, is_lost

TASK = "task"  # the key of the state

end_json = Message[End](End, "the end of a run")


class RunStarter:
    """Starts the runs of a schedule, in one invocation of its virtual object.

    Args:
        ctx: The context of the invocation.
        schedule: The schedule at the start.

    Attributes:
        schedule: The schedule after all runs that were started so far.
        error: Why a run could not be started; None if all could be started.
    """

    def __init__(self, ctx: ObjectContext, schedule: ScheduleState) -> None:
        self._ctx = ctx
        self.schedule = schedule
        self.error: TerminalError | None = None

    async def begin(self, due: Due) -> Decision:
        """Start a run for a time, as the overlap policy says."""
        decision = decided(self.schedule, due)
        self.schedule = decision.schedule
        for run in decision.cancels:
            self._ctx.cancel_invocation(run)
        if decision.action == "start":
            await self._start(due)
        return decision

    async def begin_queued(self) -> None:
        """Start the runs of the queue that may start now."""
        while due := next_queued(self.schedule):
            rest = tuple(each for each in self.schedule.queue if each != due)
            self.schedule = self.schedule.with_changes(queue=rest)
            await self._start(due)

    async def _start(self, due: Due) -> None:
        """Start a run, and send a message to wait for its end."""
        ctx, plan = self._ctx, self.schedule.plan
        task = await ctx.get(TASK, serde=BytesSerde()) or b"null"
        body = with_time(task, plan, due.time).decode()
        try:
            run = await self._started(
                Start(fan_out=plan.fan_out, task=body, key=due.key)
            )
        except TerminalError as error:
            self.error = error
            self.schedule = self.schedule.not_started(due, error.message)
            return
        ctx.generic_send(NAME, "follow", run.encode(), key=ctx.key())
        self.schedule = self.schedule.started(
            ScheduledRun(run=run, time=due.time, cause=due.cause)
        )

    async def _started(self, request: Start) -> str:
        """Start a run; return its id. After an error, no other run is tried."""
        if self.error:
            raise self.error
        return await started(self._ctx, request)


async def followed(ctx: ObjectSharedContext, run: str) -> End:
    """Wait for the end of a run."""
    future = ctx.attach_invocation(run, BytesSerde())
    # This wait raises an error only if this invocation itself is cancelled.
    await restate.wait_completed(future)
    try:
        await future
    except TerminalError as error:
        if is_cancelled(error) and not is_lost(error):
            return End(run=run, state="cancelled")
        return End.failed(run, error.message)
    return End(run=run, state="succeeded")


def with_time(task: bytes, plan: SchedulePlan, time: datetime) -> bytes:
    """Return a task with the time of its run in the field that the plan names."""
    if plan.time_field is None:
        return task
    local = time.astimezone(ZoneInfo(plan.zone))
    return to_json({**from_json(task), plan.time_field: local.isoformat()})


def utc(seconds: float) -> datetime:
    """Return a time in seconds since 1970 as a `datetime`."""
    return datetime.fromtimestamp(seconds, UTC)
