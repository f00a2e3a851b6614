"""A batch: each subtask has an outcome and attempts of its own."""

from collections import Counter

import anyio
import anyio.lowlevel
import pytest
from restate import TerminalError

from parallelizework.batch import BatchRunner, Failure

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_one_that_fails_leaves_its_mates_alone() -> None:
    executions = Counter[int]()

    async def execute(number: int) -> int:
        executions[number] += 1
        if number == 1:
            raise ValueError("poison")
        if number == 2:
            raise TerminalError("refused", 404)
        return number

    batch = await BatchRunner(execute, slots=4, max_attempts=2).run([0, 1, 2, 3])

    assert batch.values == [0, 3]
    assert batch.failures == [
        Failure(place=1, message="ValueError('poison')", code=500),
        Failure(place=2, message="refused", code=404),
    ]
    assert executions == {0: 1, 1: 2, 2: 1, 3: 1}


async def test_no_more_than_its_slots_are_executing() -> None:
    now: set[int] = set()
    most = 0

    async def execute(number: int) -> int:
        nonlocal most
        now.add(number)
        most = max(most, len(now))
        await anyio.lowlevel.checkpoint()
        now.remove(number)
        return number

    batch = await BatchRunner(execute, slots=3, max_attempts=1).run(range(20))

    assert batch.values == list(range(20))
    assert most == 3
