"""A batch continues in another turn if no time is left in this one."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from restate.exceptions import RetryableError

from parallelizework import Attempt, Postponed
from parallelizework.attempts.time_left import limit_time
from parallelizework.completion import Rule
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.execution.batch import Batch
from parallelizework.execution.turn import Turn, is_turn
from parallelizework.messages import Outcomes, Slice
from parallelizework.policy import Policy

pytestmark = pytest.mark.anyio
REASON = "the process would stop"
SOON = Policy(max_attempts=3, initial_retry_interval=timedelta(milliseconds=10))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Turns:
    """Executes a batch in turns, each with its own limit, like the handler."""

    def __init__(
        self,
        execute: Callable[..., Any],
        policy: Policy = SOON,
        *,
        count: int = 3,
        slots: int = 1,
        rule: Rule | None = None,
    ) -> None:
        function = Function("execute", execute, Threads(100), max_values=2)
        definition = ExecuteDefinition("Test", function, policy, int)
        items = list(range(count))
        slice_ = Slice[Any](first=0, slots=slots, items=items, rule=rule or Rule())
        self.all = list[Turn]()
        self._done = Turn()
        self._batch = partial(Batch, definition, policy, slice_, "inv_1")

    async def next(self, seconds: float | None = 0.3) -> Outcomes | None:
        """Execute one turn in another process; return the outcomes, or None."""
        done = self._done
        batch = self._batch(before=done.after(done.pause))
        if seconds is not None:
            limit_time(seconds, REASON)
        await batch.execute()
        if batch.has_ended:
            return batch.outcomes()
        body = batch.turn(1.0).model_dump_json().encode()
        assert is_turn(body)
        self.all.append(Turn.model_validate_json(body))
        self._done = done.then(self.all[-1])
        return None

    async def outcomes(self, seconds: float = 0.3) -> Outcomes:
        """Execute all turns."""
        while (outcomes := await self.next(seconds)) is None:
            pass
        return outcomes


async def hang() -> None:
    await asyncio.sleep(3_600)


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_attempt_that_takes_too_long_is_repeated_in_the_next_turn(
    *, is_async: bool
) -> None:
    never, calls = threading.Event(), list[tuple[int, int]]()

    def execute(number: int, attempt: Attempt) -> int:
        calls.append((number, attempt.number))
        if (number, attempt.number) == (1, 1):
            never.wait(60)
        return number

    async def execute_async(number: int, attempt: Attempt) -> int:
        calls.append((number, attempt.number))
        if (number, attempt.number) == (1, 1):
            await hang()
        return number

    turns = Turns(execute_async if is_async else execute)

    outcomes = await turns.outcomes()

    never.set()
    assert outcomes.values == [0, 1, 2]
    assert calls == [(0, 1), (1, 1), (1, 2), (2, 1)]
    assert len(turns.all) == 1


async def test_a_subtask_that_always_takes_too_long_fails_after_its_attempts() -> None:
    async def execute(number: int) -> int:
        if number == 1:
            await hang()
        return number

    outcomes = await Turns(execute).outcomes(0.1)

    assert outcomes.values == [0, 2]
    [late] = outcomes.failures
    assert (late.index, late.status, late.attempts) == (1, "timed_out", 3)
    assert late.message.endswith(REASON)


async def test_without_any_time_each_subtask_fails_at_once() -> None:
    async def execute(number: int) -> int:
        return number

    turns = Turns(execute)

    outcomes = await turns.next(-1)

    assert outcomes
    message = f"no time was left for an attempt: {REASON}"
    assert [each.message for each in outcomes.failures] == [message] * 3


async def test_a_long_pause_takes_no_turn_and_other_subtasks_do_not_begin() -> None:
    calls = list[int]()

    async def execute(number: int) -> int:
        calls.append(number)
        if calls.count(number) == 1:
            raise Postponed("later", retry_after=timedelta(minutes=number + 1))
        return number

    turns = Turns(execute, slots=2)

    assert await turns.next() is None
    assert calls == [0, 1]
    assert turns.all[0].pause == pytest.approx(60, abs=0.1)

    assert await turns.next() is None
    assert calls == [0, 1, 0, 2]
    assert turns.all[1].pause == pytest.approx(60, abs=0.5)

    outcomes = await turns.outcomes()
    assert outcomes.values == [0, 1, 2]
    assert calls == [0, 1, 0, 2, 1, 2]


async def test_a_pause_continues_while_other_subtasks_are_executed() -> None:
    start, called = time.monotonic(), dict[int, float]()

    async def execute(number: int) -> int:
        if number == 0 and 0 not in called:
            called[0] = time.monotonic() - start
            raise Postponed("later", retry_after=timedelta(seconds=0.5))
        await asyncio.sleep(0.08)
        called[number] = time.monotonic() - start
        return number

    turns = Turns(execute, count=20, slots=2)

    outcomes = await turns.outcomes(0.3)

    assert outcomes.values == list(range(20))
    assert called[0] < 1.2  # 20 * 0.08 s on one slot would be 1.6 s
    assert all(turn.pause < 0.1 for turn in turns.all)


async def test_an_attempt_that_would_end_too_late_begins_in_the_next_turn() -> None:
    async def execute(number: int) -> int:
        await asyncio.sleep(0.2)
        return number

    turns = Turns(execute, Policy(max_attempts=1), count=4)

    outcomes = await turns.outcomes(0.5)

    assert outcomes.values == [0, 1, 2, 3]
    assert [list(turn.values) for turn in turns.all] == [[0, 1]]


async def test_a_turn_has_only_the_outcomes_of_its_own() -> None:
    async def execute(number: int) -> int:
        await asyncio.sleep(0.1)
        return number

    turns = Turns(execute, SOON.model_copy(update={"max_attempts": 9}), count=6)

    outcomes = await turns.outcomes(0.25)

    assert outcomes.values == list(range(6))
    numbers = [number for turn in turns.all for number in turn.values]
    assert len(numbers) == len(set(numbers))
    assert len(turns.all) > 1


async def test_the_sum_of_postponed_pauses_is_limited_over_all_turns() -> None:
    async def execute(number: int) -> int:
        later, within = timedelta(minutes=1), timedelta(minutes=2)
        raise Postponed("later", retry_after=later, within=within)

    turns = Turns(execute, count=1)

    outcomes = await turns.outcomes()

    [failure] = outcomes.failures
    assert "its pauses would take longer than 120 s" in failure.message
    assert len(turns.all) == 1


async def test_subtask_timeout_is_the_time_of_all_turns_with_their_pauses() -> None:
    async def execute(number: int) -> int:
        if number == 0:
            raise Postponed("later", retry_after=timedelta(minutes=2))
        return number

    turns = Turns(
        execute, SOON.model_copy(update={"subtask_timeout": timedelta(days=60)})
    )
    assert await turns.next() is None
    left = turns.all[0].unfinished[0].left
    assert left is not None
    assert timedelta(days=60).total_seconds() - left < 1

    limit = timedelta(minutes=1)
    turns = Turns(execute, SOON.model_copy(update={"subtask_timeout": limit}))
    outcomes = await turns.outcomes()

    assert turns.all[0].pause == pytest.approx(60, abs=0.5)
    assert [each.status for each in outcomes.failures] == ["timed_out"]
    assert "60 s" in outcomes.failures[0].message
    assert outcomes.values == [1, 2]


async def test_subtask_timeout_ends_a_longer_pause() -> None:
    async def execute(number: int) -> int:
        if number == 0:
            raise Postponed("later", retry_after=timedelta(hours=1))
        return number

    limit = timedelta(seconds=30)
    turns = Turns(execute, SOON.model_copy(update={"subtask_timeout": limit}))

    outcomes = await turns.outcomes()

    assert [each.status for each in outcomes.failures] == ["timed_out"]
    assert outcomes.values == [1, 2]
    assert turns.all[0].pause == pytest.approx(30, abs=0.1)


async def test_a_pause_and_subtask_timeout_continue_while_others_execute() -> None:
    async def execute(number: int, attempt: Attempt) -> int:
        if number == 0 and attempt.number == 1:
            raise Postponed("later", retry_after=timedelta(seconds=5))
        await asyncio.sleep(0.1)
        return number

    limit = timedelta(minutes=1)
    policy = SOON.model_copy(update={"subtask_timeout": limit})
    turns = Turns(execute, policy, count=9, slots=2)

    assert await turns.next(0.35) is None

    postponed = turns.all[0].unfinished[0]
    assert postponed.pause == pytest.approx(4.65, abs=0.1)
    assert postponed.left == pytest.approx(59.65, abs=0.1)


async def test_an_attempt_without_any_time_does_not_count() -> None:
    async def execute(number: int, attempt: Attempt) -> int:
        if attempt.number == 1 and number == 0:
            raise RetryableError("again", retry_after=timedelta(seconds=0.1))
        if attempt.number == 1:
            await asyncio.sleep(0.05)
            time.sleep(0.5)  # noqa: ASYNC251 - the pause of the other one ends too late
        return number

    policy = SOON.model_copy(update={"max_attempts": 2})

    outcomes = await Turns(execute, policy, count=2, slots=2).outcomes()

    assert outcomes.values == [0, 1]


@pytest.mark.parametrize("seconds", [0.3, None])
async def test_a_function_that_cancels_its_task_needs_no_other_turn(
    seconds: float | None,
) -> None:
    """Its subtask has no outcome. The run then ends as cancelled."""

    async def execute(number: int) -> int:
        if number == 1 and (task := asyncio.current_task()):
            task.cancel()
            await asyncio.sleep(0)
        return number

    outcomes = await asyncio.wait_for(Turns(execute).next(seconds), 5)

    assert outcomes
    assert outcomes.values == [0, 2]


async def test_a_turn_has_the_values_as_they_are() -> None:
    turn = Turn(unfinished={}, values={0: math.inf, 1: "é"}, faults={}, seconds=0)

    again = Turn.model_validate_json(turn.model_dump_json())

    assert again.values == turn.values


async def test_a_rule_ends_a_batch_in_its_second_turn() -> None:
    async def execute(number: int, attempt: Attempt) -> int:
        if attempt.number == 1 and number == 1:
            await hang()
        return number

    turns = Turns(execute, count=9, rule=Rule(min_successful=3))

    outcomes = await turns.outcomes()

    assert outcomes.values == [0, 1, 2]
    assert len(turns.all) == 1
