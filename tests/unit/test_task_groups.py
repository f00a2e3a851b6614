"""An async function may use `asyncio.TaskGroup`, and its children may fail."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from parallelizework.attempts.task_groups import fix_task_groups
from parallelizework.completion import Rule
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.definition.function import Function
from parallelizework.definition.job import TookTooLong
from parallelizework.definition.threads import Threads
from parallelizework.execution.batch import Batch
from parallelizework.messages import Outcomes, Slice
from parallelizework.policy import Policy

pytestmark = pytest.mark.anyio
fix_task_groups()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def fail(number: int) -> int:
    await asyncio.sleep(0)
    raise ValueError(f"bad {number}")


async def child_fails(number: int) -> int:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0.01))
        if number == 1:
            group.create_task(fail(number))
    return number


async def error_is_handled(number: int) -> int:
    try:
        return await child_fails(number)
    except* ValueError:
        pass
    return -number


async def hangs_after_the_error(number: int) -> int:
    await error_is_handled(number)
    await asyncio.sleep(60)
    return number


def call(function: Callable[..., Any]) -> Function:
    return Function("execute", function, Threads(1))


async def batch(execute: Callable[[int], Any], **policy: Any) -> Outcomes:
    definition = ExecuteDefinition("Test", call(execute), Policy(**policy), int)
    slice_ = Slice[Any](first=0, slots=4, items=[0, 1, 2], rule=Rule())
    batch = Batch(definition, definition.policy, slice_, "inv_1")
    await batch.execute()
    return batch.outcomes()


async def test_the_error_of_a_child_is_the_error_of_the_function() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await call(child_fails)(1)

    assert [str(error) for error in raised.value.exceptions] == ["bad 1"]
    task = asyncio.current_task()
    assert task
    assert task.cancelling() == 0


async def test_a_function_may_handle_the_error_of_a_child() -> None:
    assert await call(error_is_handled)(1) == -1


async def test_a_timeout_works_after_the_error_of_a_child() -> None:
    with pytest.raises(TookTooLong):
        await call(hangs_after_the_error)(1, seconds=0.05)


async def test_a_cancellation_stays_one_although_a_child_fails() -> None:
    async def execute(number: int) -> int:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails_when_cancelled(number))
        return number

    async def fails_when_cancelled(number: int) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError(number) from None

    task = asyncio.create_task(call(execute)(1))
    await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_batch_goes_on_after_the_error_of_a_child() -> None:
    outcomes = await batch(child_fails, max_attempts=1)

    assert outcomes.values == [0, 2]
    assert [(each.index, each.status) for each in outcomes.failures] == [(1, "failed")]


async def test_the_timeout_of_a_subtask_works_after_the_error_of_a_child() -> None:
    outcomes = await batch(
        hangs_after_the_error, subtask_timeout=timedelta(seconds=0.1)
    )

    statuses = [each.status for each in outcomes.failures]
    assert statuses == ["timed_out"] * 3
