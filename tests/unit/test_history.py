"""The verdict of the fault suite: correct histories pass, and others do not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.history import (
    Answer,
    Event,
    Fault,
    History,
    Reading,
    Run,
    What,
)
from tests.faults.verdict import Violation, judge

A, B = 1, 2  # workers
KILL = Fault("kill A", since=10.0, until=12.0, processes=frozenset({A}))
FREEZE = Fault("freeze A", since=10.0, until=12.0)


def execution(
    index: int,
    began: float,
    end: tuple[What, float] | None,
    process: int = A,
    run: str = "r",
) -> list[Event]:
    """Return the events of one execution; `end` is None if it was killed."""
    name = f"{run}-{index}-{process}-{began}"
    events = [Event(run, index, name, process, began, What.BEGAN)]
    if end:
        events.append(Event(run, index, name, process, end[1], end[0]))
    return events


def ended(index: int, began: float, at: float, process: int = A) -> list[Event]:
    return execution(index, began, (What.ENDED, at), process)


# Subtask 2 is cut off by the kill of A, and executed again by B.
EVENTS = [
    *ended(0, 1.0, 2.0),
    *ended(1, 1.5, 2.5, B),
    *execution(2, 9.0, None),
    *ended(2, 13.0, 14.0, B),
]
END = Reading(16.0, succeeded=3, total=3, ended=True)
ANSWER = Answer(15.0, values=(0, 1, 2))
RUN = Run(
    "r",
    subtasks=3,
    slots=2,
    answers=(ANSWER, replace(ANSWER, at=15.5)),
    readings=(Reading(3.0, succeeded=2, total=3), END),
)
GOOD = History(EVENTS, faults=(KILL,), runs=(RUN,))


def with_run(**changes: Any) -> History:
    return replace(GOOD, runs=(replace(RUN, **changes),))


def with_answer(**changes: Any) -> History:
    answer = replace(ANSWER, **changes)
    return with_run(answers=(answer, answer))


def with_events(*events: Sequence[Event]) -> History:
    return replace(GOOD, events=[*EVENTS, *(e for each in events for e in each)])


def kinds(history: History) -> set[str]:
    return {violation.kind for violation in judge(history).violations}


def test_a_good_history_has_no_violation_and_its_repetitions_are_counted() -> None:
    verdict = judge(GOOD)

    assert not verdict.violations
    assert verdict.repeated == {"kill A": 1}


def test_an_invocation_that_has_not_ended_is_a_violation() -> None:
    verdict = judge(replace(GOOD, left=("inv_1 paused",)))

    assert verdict.violations == [Violation("left", "", "inv_1 paused")]


def test_a_fault_that_was_not_repaired_is_a_violation() -> None:
    assert kinds(replace(GOOD, faults=(replace(KILL, is_repaired=False),))) == {
        "hanging"
    }


def test_a_run_without_an_answer_hangs() -> None:
    assert "hanging" in kinds(with_run(answers=()))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"values": (0, 1)}, "lost"),
        ({"values": ()}, "lost"),
        ({"values": (0, 1, 1, 2)}, "duplicated"),
        ({"values": (0, 2, 1)}, "wrong"),
        ({"values": (0, 1, 2, 7)}, "wrong"),
        ({"failed": (1,)}, "wrong"),
        ({"error": "failed with 409: cancelled"}, "wrong"),
    ],
)
def test_a_wrong_answer_is_a_violation(changes: dict[str, Any], kind: str) -> None:
    assert kind in kinds(with_answer(**changes))


@pytest.mark.parametrize("changes", [{"values": (0, 1)}, {"stamp": "another"}])
def test_two_different_answers_are_a_violation(changes: dict[str, Any]) -> None:
    other = replace(ANSWER, at=15.5, **changes)

    assert "duplicated" in kinds(with_run(answers=(ANSWER, other)))


def test_a_value_of_a_subtask_that_was_never_executed_is_a_violation() -> None:
    events = [e for e in EVENTS if (e.index, e.what) != (1, What.ENDED)]

    assert "wrong" in kinds(replace(GOOD, events=events))


@pytest.mark.parametrize(
    "fault",
    [
        None,
        FREEZE,
        replace(KILL, processes=frozenset({B})),
        replace(KILL, since=5.0, until=6.0),
        replace(KILL, since=13.5, until=14.5),
    ],
    ids=["none", "a freeze", "of another worker", "too early", "too late"],
)
def test_a_second_execution_needs_a_fault_that_interrupted_the_first(
    fault: Fault | None,
) -> None:
    faults = (fault,) if fault else ()

    verdict = judge(replace(GOOD, faults=faults))

    assert [each.kind for each in verdict.violations] == ["unexplained"]
    assert "subtask 2" in verdict.violations[0].about
    assert not verdict.repeated


def test_each_further_execution_needs_a_fault_of_its_own() -> None:
    history = with_events(ended(2, 14.2, 14.5, B))

    assert kinds(history) == {"unexplained"}


def test_an_error_explains_a_second_execution() -> None:
    raised = execution(1, 1.0, (What.RAISED, 1.2), B)

    assert not kinds(with_events(raised))


def test_an_error_does_not_explain_an_execution_that_began_earlier() -> None:
    raised = execution(1, 1.0, (What.RAISED, 1.7), B)

    assert kinds(with_events(raised)) == {"unexplained"}


def test_a_late_execution_in_a_worker_that_had_lost_the_server_is_allowed() -> None:
    late = execution(2, 13.5, (What.CUT_OFF, 13.6))

    assert not kinds(with_events(late))


def test_an_interrupted_execution_without_a_fault_explains_nothing() -> None:
    late = execution(2, 13.5, (What.CUT_OFF, 13.6), B)

    assert kinds(with_events(late)) == {"unexplained"}


def test_a_fault_repeats_no_more_executions_than_were_in_flight() -> None:
    cut = [event for index in range(4) for event in execution(index, 9.0, None)]
    again = [event for index in range(4) for event in ended(index, 12.5, 13.0, B)]
    answer = replace(ANSWER, values=(0, 1, 2, 3))
    end = replace(END, succeeded=4, total=4)
    run = replace(RUN, subtasks=4, slots=3, answers=(answer,) * 2, readings=(end,))
    history = History([*cut, *again], (KILL,), (run,))

    assert kinds(history) == {"unexplained"}
    assert not kinds(replace(history, runs=(replace(run, slots=4),)))


def test_an_execution_that_begins_during_a_repair_may_be_interrupted_again() -> None:
    second = replace(KILL, kind="kill B", since=12.5, until=13.5)
    second = replace(second, processes=frozenset({B}))
    events = [
        *execution(0, 9.0, None),
        *ended(0, 11.0, 11.5, B),
        *execution(1, 11.6, None, B),
        *ended(1, 14.0, 14.5, B),
    ]
    answer = replace(ANSWER, values=(0, 1))
    end = replace(END, succeeded=2, total=2)
    run = Run("r", 2, slots=1, answers=(answer,), readings=(end,))
    both = replace(KILL, processes=frozenset({A, B}))

    verdict = judge(History(events, (both, second), (run,)))

    assert not verdict.violations
    assert verdict.repeated == {"kill A": 1, "kill B": 1}


def test_a_counted_subtask_is_not_executed_again() -> None:
    earlier = replace(KILL, since=1.6, until=1.8)
    history = with_events(ended(0, 12.5, 13.0, B))
    history = replace(history, faults=(earlier, KILL))

    # Two of three had ended at 3.0, so only one may be executed after that.
    assert kinds(history) == {"again"}


def test_no_subtask_is_executed_after_the_answer() -> None:
    late = Fault("kill B", since=13.5, until=15.0, processes=frozenset({B}))
    history = with_events(ended(2, 15.2, 15.4))
    history = replace(history, faults=(KILL, late))

    assert "again" in kinds(history)


@pytest.mark.parametrize(
    "reading",
    [
        Reading(2.2, succeeded=2, total=3),
        Reading(3.0, succeeded=2, total=4),
        Reading(3.0, succeeded=1, failed=1, total=3),
        Reading(3.0, succeeded=4, total=3),
    ],
    ids=["early", "another total", "a failure that was none", "more than all"],
)
def test_progress_counts_only_executed_subtasks(reading: Reading) -> None:
    assert "progress" in kinds(with_run(readings=(reading, END)))


def test_progress_counts_that_decrease_are_a_violation() -> None:
    readings = (Reading(3.0, succeeded=2), Reading(4.0, succeeded=1), END)

    assert kinds(with_run(readings=readings)) == {"progress"}


@pytest.mark.parametrize(
    "readings",
    [
        (),
        (Reading(16.0, succeeded=3, total=3),),
        (replace(END, succeeded=2, cancelled=1),),
        (replace(END, succeeded=2),),
    ],
    ids=["none", "no end", "one cancelled", "one too few"],
)
def test_progress_has_all_outcomes_at_the_end(readings: Sequence[Reading]) -> None:
    assert kinds(with_run(readings=readings)) == {"progress"}


def test_a_tolerated_failure_is_in_the_answer() -> None:
    events = [*ended(0, 1.0, 2.0), *execution(1, 1.0, (What.RAISED, 2.0))]
    run = Run(
        "r",
        subtasks=2,
        slots=2,
        failing=frozenset({1}),
        answers=(Answer(3.0, values=(0,), failed=(1,)),),
        readings=(Reading(4.0, succeeded=1, failed=1, total=2, ended=True),),
    )

    assert not kinds(History(events, runs=(run,)))
    unseen = replace(run, answers=(Answer(3.0, values=(0,)),))
    assert "wrong" in kinds(History(events, runs=(unseen,)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [((0, 2), set[str]()), ((0,), {"lost"}), ((0, 1, 2), {"wrong"})],
)
def test_an_answer_has_as_many_values_as_its_quorum(
    values: Sequence[int], expected: set[str]
) -> None:
    events = [event for index in range(3) for event in ended(index, 1.0, 2.0)]
    end = Reading(
        4.0, succeeded=len(values), cancelled=3 - len(values), total=3, ended=True
    )
    answers = (Answer(3.0, values=values),)
    run = Run("r", 3, slots=3, enough=2, answers=answers, readings=(end,))

    assert kinds(History(events, runs=(run,))) == expected


@given(
    lives=st.lists(st.integers(0, 3), min_size=1, max_size=30),
    slots=st.integers(1, 5),
)
def test_any_history_of_interruptions_and_repetitions_is_allowed(
    lives: list[int], slots: int
) -> None:
    """Subtasks execute one after the other; each is killed a few times, then ends."""
    events: list[Event] = []
    faults: list[Fault] = []
    now = 0.0
    for index, deaths in enumerate(lives):
        for _ in range(deaths):
            events += execution(index, now + 1, None)
            faults.append(Fault("kill", now + 2, now + 3, frozenset({A})))
            now += 4
        events += ended(index, now + 1, now + 2)
        now += 3
    count = len(lives)
    answer = Answer(now, values=range(count))
    end = Reading(now, succeeded=count, total=count, ended=True)
    run = Run("r", count, slots, answers=(answer, answer), readings=(end,))

    verdict = judge(History(events, faults, (run,)))

    assert not verdict.violations
    assert verdict.repeated["kill"] == sum(lives)
