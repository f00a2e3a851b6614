"""An attempt ends before somebody stops the process."""

import asyncio

import pytest

from parallelizework.attempts.time_left import limit_time, within_time_left
from parallelizework.definition.job import TookTooLong

pytestmark = pytest.mark.anyio
REASON = "the process would stop"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def hang() -> bytes:
    await asyncio.sleep(3_600)
    return b""


async def test_without_a_limit_a_function_may_take_any_time() -> None:
    async def execute() -> bytes:
        return b"7"

    assert await within_time_left(execute) == b"7"


async def test_at_the_limit_the_function_is_cancelled() -> None:
    limit_time(0.01, REASON)

    with pytest.raises(TookTooLong, match=r"^longer than 0\.\d+ s: the process would"):
        await within_time_left(hang)


async def test_after_the_limit_no_function_runs_for_long() -> None:
    limit_time(-1, REASON)

    with pytest.raises(TookTooLong, match="no time was left for an attempt: the"):
        await within_time_left(hang)


async def test_a_cleanup_that_takes_too_long_is_not_awaited(
    caplog: pytest.LogCaptureFixture,
) -> None:
    never = asyncio.Event()

    async def execute() -> bytes:
        try:
            return await hang()
        finally:
            await never.wait()

    limit_time(0.01, REASON, grace=0.01)

    with pytest.raises(TookTooLong):
        await within_time_left(execute)

    assert "a function still runs after its cancellation" in caplog.text
    never.set()


async def test_a_cleanup_may_take_some_time() -> None:
    cleaned: list[bool] = []

    async def execute() -> bytes:
        try:
            return await hang()
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)

    limit_time(0.01, REASON, grace=60)

    with pytest.raises(TookTooLong):
        await within_time_left(execute)

    assert cleaned


async def test_a_cancellation_reaches_a_function_with_a_limit() -> None:
    cancelled: list[bool] = []

    async def execute() -> bytes:
        try:
            return await hang()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    limit_time(60, REASON)
    task = asyncio.create_task(within_time_left(execute))
    await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled


async def test_an_error_of_the_function_itself_stays() -> None:
    limit_time(60, REASON)

    async def execute() -> bytes:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await within_time_left(execute)
