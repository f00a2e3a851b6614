"""A batch: each subtask has an outcome and attempts of its own."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from restate import TerminalError

from parallelizework.attempts.attempt import Attempt
from parallelizework.completion import Rule
from parallelizework.coordination.slice import Slice
from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.execution.batch import BatchRunner
from parallelizework.outcomes import Failure, Part, known_values
from parallelizework.policy import Policy

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def run(
    execute: Callable[[int], Awaitable[bytes]],
    items: list[Any],
    *,
    slots: int = 100,
    policy: Policy | None = None,
    rule: Rule | None = None,
) -> Part:
    def typed(plain: list[Any]) -> list[int]:
        return plain

    part = Slice[Any](first=10, slots=slots, items=items, rule=rule or Rule())
    known = known_values(items)

    async def attempted(number: int, attempt: Attempt) -> bytes:
        return await execute(number)

    runner = BatchRunner(attempted, typed, policy or Policy(), key="batch", about="")
    return await runner.run(part, known)


async def test_one_that_fails_leaves_its_mates_alone() -> None:
    executions = Counter[int]()

    async def execute(number: int) -> bytes:
        executions[number] += 1
        if number == 1:
            raise ValueError("poison")
        if number == 2:
            raise TerminalError("refused", 404)
        return b"%d" % number

    part = await run(execute, [0, 1, 2, 3], policy=Policy(max_attempts=2))

    line = execute.__code__.co_firstlineno + 3
    assert part.values == [0, 3]
    assert part.failures == [
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


async def test_no_more_than_its_slots_are_executing() -> None:
    now: set[int] = set()
    most = 0

    async def execute(number: int) -> bytes:
        nonlocal most
        now.add(number)
        most = max(most, len(now))
        await anyio.lowlevel.checkpoint()
        now.remove(number)
        return b"%d" % number

    part = await run(execute, list(range(20)), slots=3)

    assert part.values == list(range(20))
    assert most == 3


async def test_the_rule_ends_it_with_no_more_than_is_needed() -> None:
    async def execute(number: int) -> bytes:
        if number % 2:
            await anyio.sleep_forever()
        return b"%d" % number

    part = await run(execute, list(range(20)), rule=Rule(min_successful=3))

    assert part == Part(succeeded=3, values=[0, 2, 4])


async def test_what_is_known_is_not_executed() -> None:
    async def execute(number: int) -> bytes:
        return b"%d" % number

    done = "parallelizework.Done"

    part = await run(execute, [{done: "a"}, 1, {done: None}])

    assert part == Part(succeeded=3, values=["a", 1, None])


async def test_one_that_takes_too_long_is_timed_out_whatever_it_makes_of_that() -> None:
    async def execute(_number: int) -> bytes:
        function = Function("execute", stubborn, Threads(1))
        return await function(1)

    async def stubborn(_number: int) -> bytes:
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            raise ConnectionError("closed") from None
        raise AssertionError

    soon = timedelta(milliseconds=10)
    part = await run(execute, [1], policy=Policy(subtask_timeout=soon))

    assert [str(failure) for failure in part.failures] == [
        "subtask 10 timed out: it took longer than 0.01 s (subtask: 1)",
    ]


async def test_one_that_waits_for_its_slot_has_all_of_its_time() -> None:
    async def execute(number: int) -> bytes:
        if number == 0:
            await anyio.sleep_forever()
        return b"%d" % number

    part = Part()
    for seconds in (0.1, 1, 10):  # more, where even that was not enough to execute them
        policy = Policy(subtask_timeout=timedelta(seconds=seconds))
        part = await run(execute, [0, 1, 2], slots=1, policy=policy)
        if part.values:
            break

    assert part.values == [1, 2]
    assert [(f.index, f.status) for f in part.failures] == [(10, "timed_out")]


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
async def test_what_is_known_counts_and_there_is_no_more_than_is_needed(
    rule: Rule, values: list[object]
) -> None:
    executed: list[int] = []

    async def execute(number: int) -> bytes:
        executed.append(number)
        return b"%d" % number

    items = [DONE[0], 1, DONE[1], 3, DONE[2], 5]
    part = await run(execute, items, slots=1, rule=rule)

    assert part == Part(succeeded=len(values), values=values)
    assert executed == [value for value in values if isinstance(value, int)]


async def test_sync_subtasks_that_block_run_slots_wide() -> None:
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

    function = Function("execute", blocks, Threads(100))

    async def execute(number: int) -> bytes:
        return b"%d" % await function(number)

    part = await run(execute, list(range(21)), slots=7)

    assert part.values == list(range(21))
    assert most == 7
