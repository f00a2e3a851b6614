"""Observers see the attempts, batches, subtasks and runs of a worker."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from restate import TerminalError

from parallelizework import FanOut, Policy, Postponed, Waiting
from parallelizework.observation import observer
from parallelizework.observation.observed import (
    ObservedAttempt,
    ObservedBatch,
    SubtaskStatus,
)
from parallelizework.observation.observer import Observer, current_attempt, observe
from parallelizework.progress.models import State
from parallelizework.testing import run_inline

SECOND = timedelta(seconds=1)
ONCE = Policy(max_attempts=1, tolerated_failure_percentage=100)


class Recorder(Observer):
    """Records what it sees."""

    def __init__(self) -> None:
        self.attempts = list[tuple[str, int | None, int, str]]()
        self.texts = list[str]()
        self.batches = list[tuple[int, int]]()
        self.subtasks = list[tuple[str, bool]]()
        self.runs = list[str]()

    @contextmanager
    def attempt(self, attempt: ObservedAttempt) -> Generator[None]:
        yield
        subtask = attempt.subtask_id()
        index = subtask.index if subtask else None
        self.attempts.append((attempt.role, index, attempt.number, attempt.status))
        self.texts.append(str(attempt))

    @contextmanager
    def batch(self, batch: ObservedBatch) -> Generator[None]:
        yield
        self.batches.append((batch.subtasks, batch.slots))

    def subtask_ended(
        self, service: str, status: SubtaskStatus, *, has_waited: bool
    ) -> None:
        assert service == "Observed"
        self.subtasks.append((status, has_waited))

    def run_started(self, service: str) -> None:
        self.runs.append("started")

    def run_ended(self, service: str, state: State) -> None:
        self.runs.append(state)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setattr(observer, "_observers", ())
    recorder = Recorder()
    observe(recorder)
    return recorder


def split(count: int) -> list[int]:
    return list(range(count))


def total(values: list[Any]) -> int:
    return len(values)


def fan_out(execute: Any, policy: Policy | None = None) -> FanOut[Any, Any, Any, Any]:
    return FanOut(
        "Observed", split=split, execute=execute, aggregate=total, policy=policy
    )


def test_each_function_of_a_run_is_observed(recorder: Recorder) -> None:
    def execute(number: int) -> int:
        return number

    run_inline(fan_out(execute), 2)

    assert sorted(recorder.attempts, key=str) == [
        ("aggregate", None, 1, "succeeded"),
        ("execute", 0, 1, "succeeded"),
        ("execute", 1, 1, "succeeded"),
        ("split", None, 1, "succeeded"),
    ]
    assert recorder.subtasks == [("succeeded", False)] * 2
    assert recorder.runs == ["started", "succeeded"]


@pytest.mark.parametrize("size", [1, 10])
def test_each_attempt_has_its_number_and_its_status(
    recorder: Recorder, size: int
) -> None:
    fates = [
        ValueError("no"),
        Postponed("later", retry_after=SECOND),
        None,
        TerminalError("never"),
    ]

    def execute(number: int) -> int:
        if fate := fates.pop(0):
            raise fate
        return number

    policy = Policy(
        max_concurrency=1, max_items_per_batch=size, tolerated_failure_percentage=100
    )
    run_inline(fan_out(execute, policy), 2)

    executed = [each for each in recorder.attempts if each[0] == "execute"]
    assert executed == [
        ("execute", 0, 1, "failed"),
        ("execute", 0, 2, "postponed"),
        ("execute", 0, 2, "succeeded"),
        ("execute", 1, 1, "failed"),
    ]
    assert recorder.subtasks == [("succeeded", False), ("failed", False)]


def test_an_attempt_as_a_text_is_the_begin_of_a_log_line(recorder: Recorder) -> None:
    def execute(number: int) -> int:
        return number

    run_inline(fan_out(execute, Policy(max_items_per_batch=10)), 1)

    texts = {text.split()[1].partition("=")[0]: text for text in recorder.texts}
    assert texts["execute"].startswith("service=Observed execute=test_an_attempt_as")
    assert texts["execute"].endswith(" index=0 attempt=1")
    assert " run=inv_" in texts["execute"]
    assert " invocation=inv_" in texts["split"]


def test_a_batch_has_its_size_and_its_slots(recorder: Recorder) -> None:
    def execute(number: int) -> int:
        return number

    run_inline(fan_out(execute, Policy(max_items_per_batch=4)), 6)

    assert sorted(recorder.batches) == [(2, 4), (4, 4)]


def test_a_failed_run_is_observed(recorder: Recorder) -> None:
    def execute(_number: int) -> int:
        raise TerminalError("never")

    run_inline(fan_out(execute), 1)

    assert recorder.runs == ["started", "failed"]


def test_a_subtask_that_waits_is_observed_twice(recorder: Recorder) -> None:
    def execute(_number: int) -> int | Waiting[int]:
        return Waiting(within=SECOND)

    run_inline(fan_out(execute, ONCE), 1, answers=lambda _number, _waiting: 7)

    assert recorder.subtasks == [("waiting", False), ("succeeded", True)]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_function_finds_its_own_attempt(
    recorder: Recorder, *, is_async: bool
) -> None:
    seen = list[str]()

    def execute(number: int) -> int:
        attempt = current_attempt()
        assert attempt
        seen.append(str(attempt.subtask_id()).partition(" ")[2])
        return number

    async def execute_async(number: int) -> int:
        return execute(number)

    run_inline(fan_out(execute_async if is_async else execute), 2)

    assert sorted(seen) == ["index=0", "index=1"]
    assert current_attempt() is None


class Broken(Observer):
    """An observer that fails at the beginning, or at the end, of each attempt."""

    def __init__(self, *, at_the_end: bool) -> None:
        self._at_the_end = at_the_end

    @contextmanager
    def attempt(self, attempt: ObservedAttempt) -> Generator[None]:
        if self._at_the_end:
            yield
        raise RuntimeError("broken")


@pytest.mark.parametrize("at_the_end", [False, True])
def test_an_observer_that_fails_changes_no_outcome(
    recorder: Recorder, caplog: pytest.LogCaptureFixture, *, at_the_end: bool
) -> None:
    observe(Broken(at_the_end=at_the_end))

    def execute(number: int) -> int:
        if number == 1:
            raise TerminalError("never")
        return number

    run = run_inline(fan_out(execute, ONCE), 3)

    assert run.result == 2
    assert len(recorder.attempts) == 5
    assert "an observer failed" in caplog.text
