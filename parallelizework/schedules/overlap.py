"""`decided`: what a schedule does at a time while other runs have not ended. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from parallelizework.schedules.models import (
    LATE,
    MAX_MISSED,
    MAX_QUEUED,
    Due,
    Missed,
    ScheduleState,
)


@dataclass(frozen=True)
class Decision:
    """What a schedule does at a time.

    Attributes:
        action: `start` a run now; `queue` the time until a run has ended; `replace` the
            runs, so the time waits for their end; or `skip` the time.
        schedule: The schedule afterwards, without a run that starts now.
        cancels: The ids of the runs to cancel.
    """

    action: Literal["start", "queue", "replace", "skip"]
    schedule: ScheduleState
    cancels: Sequence[str] = ()


def decided(schedule: ScheduleState, due: Due) -> Decision:
    """Return what a schedule does at a time.

    The times of a backfill are never skipped and never cancel a run: they wait.
    """
    overlap = schedule.plan.overlap
    if due.cause == "backfill" and overlap != "allow":
        overlap = "queue"
    if not schedule.is_full:
        return Decision("start", schedule)
    if overlap == "replace":
        return _replaced(schedule, due)
    if overlap == "skip" or len(schedule.queue) >= MAX_QUEUED:
        skipped = schedule.with_changes(skipped=schedule.skipped + 1)
        return Decision("skip", skipped)
    return Decision("queue", schedule.with_changes(queue=(*schedule.queue, due)))


def next_queued(schedule: ScheduleState) -> Due | None:
    """Return the time in the queue that runs next; None if no time may run now.

    A paused schedule continues only what a trigger or a backfill has added.
    """
    if schedule.is_full:
        return None
    return next(
        (
            due
            for due in schedule.queue
            if not schedule.is_paused or due.cause != "schedule"
        ),
        None,
    )


def chosen(missed: Missed, times: Sequence[datetime], now: datetime) -> list[datetime]:
    """Return the times that run, of those that are due now.

    Args:
        missed: The policy of the schedule.
        times: The times that are due, in their order.
        now: The current time.
    """
    match missed:
        case "all":
            return list(times[-MAX_MISSED:])
        case "one":
            return list(times[-1:])
        case "skip":
            return [time for time in times[-1:] if now - time <= LATE]


def _replaced(schedule: ScheduleState, due: Due) -> Decision:
    """The run starts after the end of the cancelled runs; backfills follow."""
    others = [each for each in schedule.queue if each.cause == "backfill"]
    skipped = schedule.skipped + len(schedule.queue) - len(others)
    changed = schedule.with_changes(queue=(due, *others), skipped=skipped)
    return Decision("replace", changed, schedule.running_ids)
