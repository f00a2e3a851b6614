"""A batch: each subtask has an outcome and attempts of its own."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from restate import TerminalError

from parallelizework.completion import Rule
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.execution.batch import Batch
from parallelizework.messages import Outcomes, Slice
from parallelizework.outcomes import Failure
from parallelizework.policy import Policy

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def run(
    execute: Callable[[int], Any],
    items: list[Any],
    *,
    slots: int = 100,
    policy: Policy | None = None,
    rule: Rule | None = None,
) -> Outcomes:
    policy = policy or Policy()
    function = Function("execute", execute, Threads(100))
    definition = ExecuteDefinition("Test", function, policy, Any)
    slice_ = Slice[Any](first=10, slots=slots, items=items, rule=rule or Rule())
    batch = Batch(definition, policy, slice_, "inv_batch")
    await batch.execute()
    return batch.outcomes()


async def test_a_failed_subtask_does_not_affect_the_rest_of_its_batch() -> None:
    executions = Counter[int]()

    async def execute(number: int) -> int:
        executions[number] += 1
        if number == 1:
            raise ValueError("poison")
        if number == 2:
            raise TerminalError("refused", 404)
        return number

    outcomes = await run(execute, [0, 1, 2, 3], policy=Policy(max_attempts=2))

    line = execute.__code__.co_firstlineno + 3
    assert outcomes.values == [0, 3]
    assert outcomes.failures == [
        Failure(
            index=11,
            subtask=1,
            status="failed",
            message=f"ValueError('poison') in execute, test_batch.py:{line}",
            code=500,
            attempts=2,
        ),
        Failure(
            index=12,
            subtask=2,
            status="failed",
            message="refused",
            code=404,
            attempts=1,
        ),
    ]
    assert executions == {0: 1, 1: 2, 2: 1, 3: 1}


async def test_a_batch_executes_at_most_as_many_subtasks_as_it_has_slots() -> None:
    now: set[int] = set()
    most = 0

    async def execute(number: int) -> int:
        nonlocal most
        now.add(number)
        most = max(most, len(now))
        await anyio.lowlevel.checkpoint()
        now.remove(number)
        return number

    outcomes = await run(execute, list(range(20)), slots=3)

    assert outcomes.values == list(range(20))
    assert most == 3


async def test_a_batch_returns_no_more_than_the_completion_rule_needs() -> None:
    async def execute(number: int) -> int:
        if number % 2:
            await anyio.sleep_forever()
        return number

    outcomes = await run(execute, list(range(20)), rule=Rule(min_successful=3))

    assert outcomes == Outcomes(succeeded=3, values=[0, 2, 4])


async def test_a_subtask_with_a_known_value_is_not_executed() -> None:
    async def execute(number: int) -> int:
        return number

    done = "parallelizework.Done"

    outcomes = await run(execute, [{done: "a"}, 1, {done: None}])

    assert outcomes == Outcomes(succeeded=3, values=["a", 1, None])


async def test_a_subtask_times_out_even_if_its_cancellation_raises_an_error() -> None:
    async def stubborn(_number: int) -> int:
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            raise ConnectionError("closed") from None
        raise AssertionError

    soon = timedelta(milliseconds=10)
    outcomes = await run(stubborn, [1], policy=Policy(subtask_timeout=soon))

    assert [str(failure) for failure in outcomes.failures] == [
        "subtask 10 timed out: it took longer than 0.01 s (subtask: 1)",
    ]


async def test_the_wait_for_a_slot_does_not_count_towards_the_timeout() -> None:
    async def execute(number: int) -> int:
        if number == 0:
            await anyio.sleep_forever()
        return number

    outcomes = Outcomes()
    for seconds in (0.1, 1, 10):  # more, where even that was not enough to execute them
        policy = Policy(subtask_timeout=timedelta(seconds=seconds))
        outcomes = await run(execute, [0, 1, 2], slots=1, policy=policy)
        if outcomes.values:
            break

    assert outcomes.values == [1, 2]
    assert [(f.index, f.status) for f in outcomes.failures] == [(10, "timed_out")]


DONE = [{"parallelizework.Done": value} for value in "abc"]


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (Rule(race=True), ["a"]),
        (Rule(min_successful=1, tolerated=5), ["a"]),
        (Rule(min_successful=2, tolerated=4), ["a", "b"]),
        (Rule(min_successful=3, tolerated=3), ["a", "b", "c"]),
        (Rule(min_successful=4, tolerated=2), ["a", 1, "b", "c"]),
        (Rule(tolerated=0), ["a", 1, "b", 3, "c", 5]),
    ],
)
async def test_known_values_count_and_no_more_are_returned_than_needed(
    rule: Rule, values: list[object]
) -> None:
    executed: list[int] = []

    async def execute(number: int) -> int:
        executed.append(number)
        return number

    items = [DONE[0], 1, DONE[1], 3, DONE[2], 5]
    outcomes = await run(execute, items, slots=1, rule=rule)

    assert outcomes == Outcomes(succeeded=len(values), values=values)
    assert executed == [value for value in values if isinstance(value, int)]


async def test_blocking_sync_subtasks_use_all_slots_of_a_batch() -> None:
    now, most, lock = set[int](), 0, threading.Lock()
    together = threading.Barrier(7)

    def blocks(number: int) -> int:
        nonlocal most
        with lock:
            now.add(number)
            most = max(most, len(now))
        together.wait(200)
        with lock:
            now.remove(number)
        return number

    outcomes = await run(blocks, list(range(21)), slots=7)

    assert outcomes.values == list(range(21))
    assert most == 7
