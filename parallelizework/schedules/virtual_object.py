"""`FanOutSchedule`: the virtual object that starts runs at the times of a schedule.

The key is the name of a schedule. `set` sends a `tick` that arrives at the next time.
`tick` calls `start` for each run that is due, and sends the following `tick`. `follow`
waits for the end of a run and sends `ended`: so a schedule knows which of its runs have
ended.

A tick is valid only if its time is the next time of the schedule. So a tick of an
earlier version of the schedule, or a second one, does nothing. The next time is always
after the last one that was handled, also if the clock of the worker is behind the clock
of the server: so each time is handled at most once.
"""

from datetime import datetime, timedelta

from pydantic import BaseModel
from pydantic_core import from_json
from restate import (
    ObjectContext,
    ObjectSharedContext,
    TerminalError,
    VirtualObject,
)
from restate.serde import BytesSerde

from parallelizework.restate_sdk import RETRIED_WITHOUT_END, virtual_object
from parallelizework.schedules.checks import checked_task, checked_times
from parallelizework.schedules.models import (
    LATE,
    NAME,
    Backfilled,
    Due,
    Period,
    SavedSchedule,
    Schedule,
    SchedulePlan,
    ScheduleState,
    Spec,
    Triggered,
)
from parallelizework.schedules.overlap import chosen
from parallelizework.schedules.runs import TASK, RunStarter, end_json, followed, utc
from parallelizework.schedules.sending import (
    TRIED_BRIEFLY,
    check_fan_out,
    probe,
    start,
)
from parallelizework.schedules.ticks import found, needed, planned, saved, tick_json
from parallelizework.schedules.timetable import timetable
from parallelizework.serde.validated_json import Json

_spec_json = Json[Spec](Spec, "the schedule", status=400)
_period_json = Json[Period](Period, "the period of the backfill", status=400)

_CONFLICT = 409
_COUNTED = 1_000  # missed times of one outage
_SUSPENDED_AFTER = timedelta(seconds=1)
_INSTANT = timedelta(microseconds=1)


def schedules_object() -> VirtualObject:
    """Return the virtual object `FanOutSchedule`. Its key is the name of a schedule."""
    made = virtual_object(
        NAME,
        "Starts runs of fan-outs at the times of schedules",
        private=(tick, ended),
        public=(set, delete, pause, resume, trigger, backfill),
        shared=(check, get),
    )
    policies = {
        follow: RETRIED_WITHOUT_END,
        start: TRIED_BRIEFLY,
        probe: TRIED_BRIEFLY,
    }
    for handler, policy in policies.items():
        made.handler(
            kind="shared",
            ingress_private=True,
            input_serde=BytesSerde(),
            output_serde=BytesSerde(),
            inactivity_timeout=_SUSPENDED_AFTER,
            invocation_retry_policy=policy,
        )(handler)
    return made


async def check(ctx: ObjectSharedContext, body: bytes) -> bytes:
    """Check a schedule as `set` does, and change nothing."""
    spec = _spec_json.accept(body)
    checked_task(ctx.key(), spec)
    await check_fan_out(ctx, spec.fan_out)
    return b""


async def set(ctx: ObjectContext, body: bytes) -> bytes:
    """Create or change the schedule. The same values again change nothing."""
    spec = _spec_json.accept(body)
    task = checked_task(ctx.key(), spec)
    plan = SchedulePlan(**spec.model_dump(exclude={"task"}))
    before = await found(ctx)
    if before and before.plan == plan and task == await _task(ctx):
        await _repair(ctx, before)
        return _answer(SavedSchedule(status="unchanged", next=before.next))
    await check_fan_out(ctx, plan.fan_out)
    changed = _changed(before, ctx.key(), plan, ctx.request().id)
    schedule = await planned(ctx, changed, _planned_from(before, plan, await _now(ctx)))
    ctx.set(TASK, task, serde=BytesSerde())
    saved(ctx, schedule)
    status = "changed" if before else "created"
    return _answer(SavedSchedule(status=status, next=schedule.next))


async def delete(ctx: ObjectContext) -> bytes:
    """Delete the schedule. Its runs continue."""
    schedule = await needed(ctx)
    if schedule.timer:
        ctx.cancel_invocation(schedule.timer)
    ctx.clear_all()
    return b""


async def pause(ctx: ObjectContext) -> bytes:
    """Pause the schedule: its times start no runs until `resume`."""
    schedule = await needed(ctx)
    paused = schedule.with_changes(is_paused=True)
    saved(ctx, await planned(ctx, paused, await _now(ctx)))
    return b""


async def resume(ctx: ObjectContext) -> bytes:
    """Resume the schedule. The times of the pause do not run."""
    schedule = await needed(ctx)
    if schedule.is_paused:
        starter = RunStarter(ctx, schedule.with_changes(is_paused=False))
        await starter.begin_queued()
        saved(ctx, await planned(ctx, starter.schedule, await _now(ctx)))
    else:
        await _repair(ctx, schedule)
    return b""


async def trigger(ctx: ObjectContext) -> bytes:
    """Start a run now, also if the schedule is paused."""
    schedule, id_ = await needed(ctx), ctx.request().id
    key = f"{schedule.name}/{schedule.generation}/trigger/{id_}"
    starter = RunStarter(ctx, schedule)
    decision = await starter.begin(Due(time=await _now(ctx), cause="trigger", key=key))
    if decision.action == "skip":
        running = ", ".join(schedule.running_ids)
        raise TerminalError(
            f"{schedule.name} has a run that has not ended ({running}), and its "
            f"overlap is {schedule.plan.overlap}: wait for the end of the run, or "
            "cancel the run",
            _CONFLICT,
        )
    if starter.error:
        raise starter.error
    saved(ctx, starter.schedule)
    is_started = decision.action == "start"
    run = starter.schedule.running[-1].run if is_started else None
    return _answer(Triggered(run=run))


async def backfill(ctx: ObjectContext, body: bytes) -> bytes:
    """Start runs for all times of a period in the past."""
    period = _period_json.accept(body)
    schedule, id_ = await needed(ctx), ctx.request().id
    times = checked_times(schedule, period, await _now(ctx))
    starter = RunStarter(ctx, schedule)
    for time in times:
        key = f"{schedule.name}/{schedule.generation}/{id_}/{time.isoformat()}"
        await starter.begin(Due(time=time, cause="backfill", key=key))
        if starter.error:
            raise starter.error
    saved(ctx, starter.schedule)
    return _answer(Backfilled(times=len(times)))


async def get(ctx: ObjectSharedContext) -> bytes:
    """Return the schedule, its next time and its last runs."""
    schedule = await needed(ctx)
    shown = {**schedule.model_dump(), "task": from_json(await _task(ctx))}
    return _answer(Schedule.model_validate(shown))


async def tick(ctx: ObjectContext, body: bytes) -> bytes:
    """Start the runs that are due, and send the following tick."""
    due = tick_json.deserialize(body).time
    schedule = await found(ctx)
    if schedule is None or schedule.next != due:
        return b""
    now = max(due, await _now(ctx))
    plan = schedule.plan
    times = timetable(plan.cron, plan.zone).latest(due, now, _COUNTED) or [due]
    times_to_run = chosen(plan.missed, times, now)
    missed = schedule.missed + len(times) - len(times_to_run)
    changed = schedule.with_changes(last=times[-1], timer=None, missed=missed)
    starter = RunStarter(ctx, changed)
    for time in times_to_run:
        key = f"{schedule.name}/{schedule.generation}/{time.isoformat()}"
        await starter.begin(Due(time=time, cause="schedule", key=key))
    saved(ctx, await planned(ctx, starter.schedule, now))
    return b""


async def follow(ctx: ObjectSharedContext, run: bytes) -> bytes:
    """Wait for the end of a run, and report the end to the schedule."""
    end = await followed(ctx, run.decode())
    ctx.generic_send(NAME, "ended", end_json.serialize(end), key=ctx.key())
    return b""


async def ended(ctx: ObjectContext, body: bytes) -> bytes:
    """Note the end of a run, and start the next run of the queue."""
    end, schedule = end_json.deserialize(body), await found(ctx)
    if schedule is None or all(run.run != end.run for run in schedule.running):
        return b""  # a run of a schedule that was deleted
    starter = RunStarter(ctx, schedule.ended(end, await _now(ctx)))
    await starter.begin_queued()
    saved(ctx, starter.schedule)
    return b""


def _changed(
    before: ScheduleState | None, name: str, plan: SchedulePlan, generation: str
) -> ScheduleState:
    """A schedule with another plan. Its queue has times of the earlier plan."""
    if before is None:
        return ScheduleState(name=name, plan=plan, generation=generation)
    return before.with_changes(plan=plan, generation=generation, queue=())


def _planned_from(
    before: ScheduleState | None, plan: SchedulePlan, now: datetime
) -> datetime:
    """After which moment the next time of a changed schedule is.

    A time may come while `set` runs, or after an outage while its tick still waits
    behind `set`. If the timetable is the same, that time is still due.
    """
    if before is None or before.next is None:
        return now
    is_same = (before.plan.cron, before.plan.zone) == (plan.cron, plan.zone)
    return min(now, before.next - _INSTANT) if is_same else now


async def _repair(ctx: ObjectContext, schedule: ScheduleState) -> None:
    """Send messages again that somebody may have killed.

    A tick that is late, and those that wait for the ends of runs. The end of a run
    counts once.
    """
    for run in schedule.running_ids:
        ctx.generic_send(NAME, "follow", run.encode(), key=ctx.key())
    if schedule.next and schedule.next < await _now(ctx) - LATE:
        saved(ctx, await planned(ctx, schedule, schedule.next - _INSTANT))


async def _task(ctx: ObjectContext | ObjectSharedContext) -> bytes:
    return await ctx.get(TASK, serde=BytesSerde()) or b"null"


async def _now(ctx: ObjectContext) -> datetime:
    return utc(await ctx.time())


def _answer(message: BaseModel) -> bytes:
    return message.model_dump_json().encode()
