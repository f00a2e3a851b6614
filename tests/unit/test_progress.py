"""The stored progress of a run, and the progress that is shown."""

from hypothesis import given
from hypothesis import strategies as st

from parallelizework.outcomes import CompletionReason, Counts
from parallelizework.progress.models import Progress, Record, State, Update


def update(
    succeeded: int, total: int | None = 100, state: State = "running", failed: int = 0
) -> Update:
    counts = Counts(succeeded=succeeded, failed=failed)
    reason = None if state == "running" else CompletionReason.ALL_COMPLETED
    return Update(
        fan_out="Test",
        total=total,
        counts=counts,
        state=state,
        completion_reason=reason,
    )


def shown(*updates: tuple[float, Update]) -> Progress:
    (now, first), *others = updates
    record = Record.of(first, now)
    for now, each in others:
        record = record.updated(each, now)
    return Progress.of("inv_1", record)


def test_rate_and_eta_are_those_of_the_last_updates() -> None:
    slow = [(1_000.0 * n, update(n)) for n in range(20)]
    fast = [(19_000.0 + n, update(19 + n)) for n in range(1, 16)]

    progress = shown(*slow, *fast)

    assert progress.succeeded == 34
    assert progress.percent == 34.0
    assert progress.rate == 1.0
    assert progress.eta == 66.0


def test_the_end_shows_the_rate_over_all() -> None:
    progress = shown((0, update(0)), (9, update(99)), (10, update(100, state="failed")))

    assert (progress.rate, progress.eta) == (10.0, 0.0)
    assert progress.state == "failed"
    assert progress.completion_reason == "ALL_COMPLETED"


def test_without_a_total_there_is_no_percentage() -> None:
    progress = shown((0, update(0, total=None)), (1, update(5, total=None)))

    assert (progress.total, progress.percent, progress.eta) == (None, None, None)
    assert progress.rate == 5.0


def test_a_run_without_subtasks_is_complete() -> None:
    assert shown((0, update(0, total=0, state="succeeded"))).percent == 100.0


@given(st.permutations(range(10)))
def test_late_updates_change_nothing(order: list[int]) -> None:
    updates = [(float(n), update(n, state="running")) for n in order]

    progress = shown(*updates, (11.0, update(10, state="succeeded")), *updates)

    assert progress.succeeded == 10
    assert progress.state == "succeeded"


def test_only_the_last_few_updates_are_kept() -> None:
    record = Record.of(update(0), 0)
    for n in range(1_000):
        record = record.updated(update(n, total=1_000), float(n))

    assert len(record.samples) < 20
