"""A user's function may do anything; what it does wrong is a failure like any other."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads

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
        await Function("execute", leaves, Threads(1))(3)


async def test_a_stray_cancellation_is_a_failure() -> None:
    with pytest.raises(RuntimeError, match="awaited a task that was cancelled"):
        await Function("execute", waits_for_what_is_cancelled, Threads(1))(3)


async def test_the_time_spent_waiting_for_a_thread_does_not_count() -> None:
    free = threading.Event()

    def blocks(number: int) -> int:
        if number:
            free.wait(200)
        return number

    function = Function("execute", blocks, Threads(1))
    for seconds in (0.2, 2, 20):  # more, where even that was not enough to execute it
        free.clear()
        first = asyncio.create_task(function(1))
        second = asyncio.create_task(function(0, seconds=seconds))
        await asyncio.sleep(seconds + 0.1)
        free.set()
        await asyncio.wait([first, second])
        if not second.exception():
            break

    assert (first.result(), second.result()) == (1, 0)


class Panic(BaseException):
    """As a Rust extension raises it."""


def panics(number: int) -> int:
    raise Panic(number)


async def panics_async(number: int) -> int:
    raise Panic(number)


async def interrupts(number: int) -> int:
    raise KeyboardInterrupt


@pytest.mark.parametrize("function", [panics, panics_async])
async def test_a_panic_of_an_extension_is_a_failure_like_any_other(
    function: Callable[[int], Any],
) -> None:
    with pytest.raises(RuntimeError, match=r"raised Panic\(3\)"):
        await Function("execute", function, Threads(1))(3)


async def test_a_keyboard_interrupt_is_no_failure_of_a_function() -> None:
    with pytest.raises(KeyboardInterrupt):
        await Function("execute", interrupts, Threads(1))(3)
