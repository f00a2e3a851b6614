"""Checks of what callers send to a schedule: bad input is a 400 with the remedy."""

import re
from datetime import UTC, datetime, timedelta
from itertools import islice

from pydantic_core import to_json
from restate import TerminalError

from parallelizework.schedules.models import (
    MAX_BACKFILL,
    MAX_QUEUED,
    Period,
    ScheduleState,
    Spec,
)
from parallelizework.schedules.timetable import timetable

_BAD_REQUEST, _CONFLICT, _TOO_LARGE = 400, 409, 413
_MAX_TASK = 256 * 1024  # bytes: a schedule may start 100 runs in one invocation
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,128}")  # no URL has "." or ".."
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


def checked_task(name: str, spec: Spec) -> bytes:
    """Return the task of a schedule as JSON, if the schedule is valid.

    Raises:
        TerminalError: 400; the name, the cron expression or the time zone is invalid,
            or the task has no fields. 413; the task is too large.
    """
    if not _NAME.fullmatch(name):
        raise TerminalError(
            f"{name!r} is not a name of a schedule: use 1 to 128 of the characters "
            "A-Z, a-z, 0-9, _, . and -, and not only dots",
            _BAD_REQUEST,
        )
    try:
        timetable(spec.cron, spec.zone)
    except ValueError as error:
        raise TerminalError(str(error), _BAD_REQUEST) from error
    if spec.time_field is not None and not isinstance(spec.task, dict):
        raise TerminalError(
            f"the task has no field {spec.time_field!r}: with time_field, the task is "
            "a JSON object",
            _BAD_REQUEST,
        )
    task = to_json(spec.task)
    if len(task) > _MAX_TASK:
        raise TerminalError(
            f"the task of the schedule is {len(task):,} bytes, more than {_MAX_TASK:,}:"
            " pass a reference instead, such as a path or a key",
            _TOO_LARGE,
        )
    return task


def checked_times(
    schedule: ScheduleState, period: Period, now: datetime
) -> list[datetime]:
    """Return the times of a backfill, in their order.

    Raises:
        TerminalError: 400; the period has no times or too many, starts before 1970, or
            has not ended. 409; the times do not fit into the queue of the schedule.
    """
    _check_period(period, now)
    table = timetable(schedule.plan.cron, schedule.plan.zone)
    between = table.between(period.start, period.end - _INSTANT)
    times = list(islice(between, MAX_BACKFILL + 1))
    if not times:
        raise TerminalError(
            f"{schedule.name} has no time from {period.start.isoformat()} to "
            f"{period.end.isoformat()}: use a longer period",
            _BAD_REQUEST,
        )
    if len(times) > MAX_BACKFILL:
        raise TerminalError(
            f"{schedule.name} has more than {MAX_BACKFILL:,} times in this period: use "
            "several shorter periods",
            _BAD_REQUEST,
        )
    if len(times) > MAX_QUEUED - len(schedule.queue):
        raise TerminalError(
            f"{len(schedule.queue):,} times of {schedule.name} wait already, and "
            f"{MAX_QUEUED:,} may wait: try again later",
            _CONFLICT,
        )
    return times


def _check_period(period: Period, now: datetime) -> None:
    if period.start < _FIRST:
        raise TerminalError(
            f"the backfill starts at {period.start.isoformat()}, which is before 1970: "
            "use a later start",
            _BAD_REQUEST,
        )
    if period.end > now:
        raise TerminalError(
            f"the backfill ends at {period.end.isoformat()}, which is in the future: "
            "use an end in the past",
            _BAD_REQUEST,
        )
    if period.end <= period.start:
        raise TerminalError(
            f"the backfill ends at {period.end.isoformat()}, which is not after its "
            f"start, {period.start.isoformat()}: use a later end",
            _BAD_REQUEST,
        )
