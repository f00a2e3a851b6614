"""`found` and `saved`: read a schedule, and store it with its next tick."""

import time
from datetime import datetime, timedelta

from restate import ObjectContext, ObjectSharedContext, TerminalError

from parallelizework.schedules.models import NAME, STATE, ScheduleState, Tick
from parallelizework.schedules.timetable import timetable
from parallelizework.serde.message import Message

schedule_json = Message[ScheduleState](ScheduleState, "a schedule")
tick_json = Message[Tick](Tick, "a tick")

_NOT_FOUND = 404
_MILLISECOND = timedelta(milliseconds=1)


async def found(ctx: ObjectContext | ObjectSharedContext) -> ScheduleState | None:
    """Return the schedule that this object has; None if it has none."""
    return await ctx.get(STATE, serde=schedule_json)


async def needed(ctx: ObjectContext | ObjectSharedContext) -> ScheduleState:
    """Return the schedule that this object has.

    Raises:
        TerminalError: 404; it has none.
    """
    schedule = await found(ctx)
    if schedule is None:
        raise TerminalError(
            f"there is no schedule {ctx.key()!r}: `parallelizework schedule list` "
            "lists all schedules",
            _NOT_FOUND,
        )
    return schedule


def saved(ctx: ObjectContext, schedule: ScheduleState) -> None:
    """Store a schedule."""
    ctx.set(STATE, schedule, serde=schedule_json)


async def planned(
    ctx: ObjectContext, schedule: ScheduleState, now: datetime
) -> ScheduleState:
    """Return a schedule with its next time, after sending the tick of that time.

    Args:
        ctx: The context of the invocation.
        schedule: The schedule. Its earlier tick is cancelled.
        now: The current time.
    """
    if schedule.timer:
        ctx.cancel_invocation(schedule.timer)
    plan = schedule.plan
    last = max(now, schedule.last or now)
    next_ = timetable(plan.cron, plan.zone).after(last)
    if next_ is None or schedule.is_paused:
        return schedule.with_changes(next=None, timer=None)
    body = tick_json.serialize(Tick(time=next_))
    sent = ctx.generic_send(
        NAME, "tick", body, key=ctx.key(), send_delay=_delay_until(next_)
    )
    timer = await sent.invocation_id()
    return schedule.with_changes(next=next_, timer=timer)


def _delay_until(moment: datetime) -> timedelta:
    """Return the time until a moment, in whole milliseconds.

    The SDK adds the delay to the clock at this instant, in each replay, and sends the
    sum: the delay itself is not in the journal. So the clock is read at this instant
    too. After a crash, the `now` of the journal would be too early, and the tick late.
    """
    delay = timedelta(seconds=moment.timestamp() - time.time())
    return max(-(-delay // _MILLISECOND), 1) * _MILLISECOND
