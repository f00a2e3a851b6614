"""What a schedule does at a time while a run has not ended, and after an outage."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from parallelizework.schedules.models import (
    KEPT_RUNS,
    MAX_MISSED,
    MAX_QUEUED,
    MAX_RUNNING,
    Cause,
    Due,
    End,
    Missed,
    Overlap,
    ScheduledRun,
    SchedulePlan,
    ScheduleState,
)
from parallelizework.schedules.overlap import chosen, decided, next_queued

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)


def due(minutes: int = 0, cause: Cause = "schedule") -> Due:
    return Due(time=NOW + timedelta(minutes=minutes), cause=cause, key=f"{minutes}")


def schedule(
    overlap: Overlap, *, running: int = 0, queue: Sequence[Due] = ()
) -> ScheduleState:
    runs = [ScheduledRun(run=f"inv_{number}", time=NOW) for number in range(running)]
    plan = SchedulePlan(cron="@daily", fan_out="Words", overlap=overlap)
    return ScheduleState(
        name="nightly",
        plan=plan,
        generation="inv_",
        running=tuple(runs),
        queue=tuple(queue),
    )


@pytest.mark.parametrize("overlap", ["skip", "queue", "replace", "allow"])
def test_a_run_starts_if_no_run_is_running(overlap: Overlap) -> None:
    assert decided(schedule(overlap), due()).action == "start"


def test_skip_counts_a_time_without_a_run() -> None:
    decision = decided(schedule("skip", running=1), due())

    assert decision.action == "skip"
    assert decision.schedule.skipped == 1
    assert not decision.schedule.queue


def test_queue_keeps_the_times_in_their_order() -> None:
    first = decided(schedule("queue", running=1), due(1))
    second = decided(first.schedule, due(2))

    assert second.action == "queue"
    assert second.schedule.queue == (due(1), due(2))


def test_a_full_queue_skips_a_time() -> None:
    full = schedule("queue", running=1, queue=[due(n) for n in range(MAX_QUEUED)])

    decision = decided(full, due(MAX_QUEUED))

    assert decision.action == "skip"
    assert len(decision.schedule.queue) == MAX_QUEUED


def test_replace_cancels_the_run_and_keeps_only_the_latest_time() -> None:
    waiting = [due(1), due(-9, "backfill")]

    decision = decided(schedule("replace", running=1, queue=waiting), due(2))

    assert decision.action == "replace"
    assert decision.cancels == ["inv_0"]
    assert list(decision.schedule.queue) == [due(2), due(-9, "backfill")]
    assert decision.schedule.skipped == 1


def test_allow_starts_many_runs_and_then_queues() -> None:
    assert decided(schedule("allow", running=MAX_RUNNING - 1), due()).action == "start"
    assert decided(schedule("allow", running=MAX_RUNNING), due()).action == "queue"


@pytest.mark.parametrize("overlap", ["skip", "queue", "replace"])
def test_a_backfill_waits_for_the_end_of_a_run(overlap: Overlap) -> None:
    decision = decided(schedule(overlap, running=1), due(0, "backfill"))

    assert decision.action == "queue"
    assert not decision.cancels


def test_a_paused_schedule_continues_only_with_times_that_somebody_added() -> None:
    waiting = schedule("queue", queue=[due(1), due(2, "trigger")])

    assert next_queued(waiting) == due(1)
    assert next_queued(waiting.with_changes(is_paused=True)) == due(2, "trigger")


def test_nothing_of_the_queue_starts_while_a_run_is_running() -> None:
    assert next_queued(schedule("queue", running=1, queue=[due()])) is None


@pytest.mark.parametrize(
    ("missed", "late", "expected"),
    [
        ("all", 0, [1, 2, 3]),
        ("one", 0, [3]),
        ("skip", 0, [3]),
        ("all", 90, [1, 2, 3]),
        ("one", 90, [3]),
        ("skip", 90, []),
    ],
)
def test_the_policy_chooses_which_of_the_missed_times_run(
    missed: Missed, late: int, expected: list[int]
) -> None:
    times = [NOW + timedelta(seconds=second) for second in (1, 2, 3)]
    now = times[-1] + timedelta(seconds=late)

    found = chosen(missed, times, now)

    assert [(time - NOW).seconds for time in found] == expected


def test_all_has_a_bound() -> None:
    times = [NOW + timedelta(seconds=second) for second in range(MAX_MISSED + 5)]

    assert chosen("all", times, times[-1]) == times[5:]


def test_the_latest_runs_are_kept() -> None:
    changed = schedule("allow")
    for number in range(KEPT_RUNS + 5):
        changed = changed.started(ScheduledRun(run=f"inv_{number}", time=NOW))
        changed = changed.ended(End(run=f"inv_{number}", state="succeeded"), NOW)

    assert [run.run for run in changed.runs][:2] == ["inv_24", "inv_23"]
    assert len(changed.runs) == KEPT_RUNS
    assert not changed.running


def test_the_end_of_another_run_changes_nothing() -> None:
    before = schedule("skip", running=1)

    assert before.ended(End.failed("inv_9", "it failed"), NOW) == before
