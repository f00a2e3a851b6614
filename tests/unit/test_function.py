"""A user's function may do anything; what it does wrong is a failure like any other."""

import asyncio

import pytest

from parallelizework.function import Function

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def leaves(number: int) -> int:
    raise SystemExit(number)


async def waits_for_what_is_cancelled(number: int) -> int:
    task = asyncio.create_task(asyncio.sleep(60, number))
    task.cancel()
    return await task


async def test_a_function_that_exits_fails_alone() -> None:
    with pytest.raises(RuntimeError, match=r"execute=leaves raised SystemExit\(3\)"):
        await Function("execute", leaves)(3)


async def test_a_stray_cancellation_is_a_failure() -> None:
    with pytest.raises(RuntimeError, match="awaited what was cancelled"):
        await Function("execute", waits_for_what_is_cancelled)(3)
