"""The core of the package, in memory: any run ends as the reference model allows."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallelizework.coordination.planning.slots import Call, Slots
from parallelizework.policy import Policy
from tests.integration.random_cases import KINDS, Case
from tests.integration.reference import Reference

from .heart import Observed, Record, run_in_memory

BATCHES = (2, 3, 16, "auto")


@pytest.fixture(autouse=True)
def record_slots(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Record the slots of all coordinators, and log no failed attempts."""
    monkeypatch.setattr("parallelizework.attempts.attempt._logger.disabled", True)
    made = Recorded.made
    made.clear()
    monkeypatch.setattr("parallelizework.coordination.window.Slots", Recorded)
    yield
    made.clear()


class Recorded(Slots[Call]):
    """Slots that remember their total number and all instances."""

    made: ClassVar[list["Recorded[Any]"]] = []

    def __init__(self, total: int, cost: int = 1) -> None:
        super().__init__(total, cost)
        self.total = total
        self.made.append(self)

    def add(self, slots: int) -> None:
        super().add(slots)
        self.total += slots

    def lease(self, call: Call, share: int, most: int) -> int:
        free, slots = self.free, super().lease(call, share, most)
        assert 0 < slots <= free, "a call must not lease more than the free slots"
        return slots


def rules(count: int) -> st.SearchStrategy[dict[str, Any]]:
    few, share = st.integers(0, max(1, count // 3)), st.integers(0, 100).map(float)
    enough = st.integers(1, count + 1)
    return st.one_of(
        st.just({}),
        st.just({"race": True}),
        st.just({"tolerated_failure_percentage": 100.0}),
        st.fixed_dictionaries({"tolerated_failure_count": few}),
        st.fixed_dictionaries({"tolerated_failure_percentage": share}),
        st.fixed_dictionaries({"min_successful": enough}),
    )


@st.composite
def policies(draw: st.DrawFn, service: str, count: int) -> dict[str, Any]:
    policy = draw(rules(count))
    if draw(st.booleans()):
        policy["max_concurrency"] = draw(st.sampled_from([1, 2, 5, 16, 70, 200]))
    if draw(st.integers(0, 7)) == 0:
        policy["deadline"] = draw(st.sampled_from([0.01, 0.15, 0.5, 100.0]))
        policy["on_deadline"] = draw(st.sampled_from(["fail", "answer"]))
    if draw(st.integers(0, 7)) == 0 and service != "RandomSync":
        policy["subtask_timeout"] = draw(st.sampled_from([0.05, 0.4, 60.0]))
    if "code" in KINDS[service]:
        return policy  # a request cannot change the attempts of handler code
    if draw(st.integers(0, 7)) == 0 and service != "RandomSync":
        policy["attempt_timeout"] = draw(st.sampled_from([0.05, 0.4, 60.0]))
    if draw(st.booleans()):
        policy["max_items_per_batch"] = draw(st.sampled_from(BATCHES))
    if draw(st.booleans()):
        policy["max_attempts"] = draw(st.integers(1, 4))
    return policy


@st.composite
def cases(draw: st.DrawFn) -> Case:
    service = draw(st.sampled_from(list(KINDS)))
    most = draw(st.sampled_from([3, 12, 12, 70, 150]))
    count = draw(st.integers(0, most))
    policy = draw(policies(service, count))
    # Draw a subtask that hangs only if a timeout or the deadline ends it.
    ends = "attempt_timeout", "subtask_timeout", "deadline"
    hangs = service != "RandomSync" and any(policy.get(e, 100) < 100 for e in ends)
    good = "oooooo12sd" if service != "RandomCode" else "oooooo1sd"
    letters = good + draw(st.sampled_from(["", "f", "9", "f9"])) + "h" * hangs
    # One draw for all: hypothesis shrinks a long text slowly.
    random = draw(st.randoms(use_true_random=False))
    fates = "".join(random.choices(letters, k=count))
    if "expand" in KINDS[service]:
        cuts = sorted(draw(st.lists(st.integers(0, count), max_size=8)))
        ends_ = zip([0, *cuts], [*cuts, count], strict=True)
        shards = tuple(b - a for a, b in ends_)
    else:
        shards = ()
    return Case(0, 0, service, fates, shards, policy)


def errors(case: Case, run: Observed, *, is_cancelled: bool = False) -> Iterator[str]:
    """Return the errors of a run."""
    model = Reference(case)
    if not (is_cancelled and run.answer.status == 409):
        yield from model.errors(run.answer)
    if run.late:
        yield f"{len(run.late)} calls were made after its end: {run.late[:3]}"
    if run.unfinished:
        yield f"{len(run.unfinished)} calls have not ended: {run.unfinished[:3]}"
    yield from execution_errors(case, run.record, model)


def execution_errors(case: Case, record: Record, model: Reference) -> Iterator[str]:
    """Return the errors in how often subtasks were executed."""
    policy = Policy.model_validate(case.policy)
    most = policy.slots
    if record.most > most:
        yield f"{record.most} executed at once; the limit is {most}"
    for index, times in record.attempts.items():
        if record.succeeded.get(index, 0) > 1:
            yield f"{index} succeeded twice"
        if not case.is_timed and times > model.executions(index):
            yield f"{index} had {times} attempts"


def slot_errors(slots: list[Recorded[Any]]) -> Iterator[str]:
    for each in slots:
        if each.free != each.total:
            yield f"{each.total - each.free} slots of {each.total} were not returned"


@settings(max_examples=60)
@given(case=cases(), seed=st.none() | st.integers(0, 99), replays=st.booleans())
def test_a_run_ends_as_the_reference_model_allows(
    case: Case, seed: int | None, *, replays: bool
) -> None:
    Recorded.made.clear()

    run = run_in_memory(case, seed=seed, replays=replays)

    assert not list(errors(case, run))
    if run.answer.reason == "ALL_COMPLETED" and not replays:
        assert not list(slot_errors(Recorded.made))


@settings(max_examples=30)
@given(
    case=cases(),
    seed=st.none() | st.integers(0, 99),
    replays=st.booleans(),
    seconds=st.sampled_from([0.0, 0.001, 0.01, 0.05, 0.2, 1]),
)
def test_a_cancelled_run_leaves_no_call_running(
    case: Case, seed: int | None, *, replays: bool, seconds: float
) -> None:
    run = run_in_memory(case, seed=seed, replays=replays, cancel_after=seconds)

    assert not list(errors(case, run, is_cancelled=True))


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("service", ["RandomAsync", "RandomSharded"])
def test_a_run_of_segments_ends_as_the_reference_model_allows(
    service: str, seed: int | None
) -> None:
    fates = "oo1sdfoo9o" * 210
    shards = (1_100, 0, 1_000) if service == "RandomSharded" else ()
    policy = {"tolerated_failure_percentage": 100.0, "max_concurrency": 100}
    case = Case(0, 0, service, fates, shards, policy)

    run = run_in_memory(case, seed=seed, replays=False)

    assert not list(errors(case, run))
    assert not list(slot_errors(Recorded.made))
