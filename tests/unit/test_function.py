"""A user's function may do anything; what it does wrong is a failure like any other."""

import asyncio
import functools
import threading
from collections.abc import Callable
from pathlib import Path
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
    with pytest.raises(RuntimeError, match=r"\(leaves, .*\) raised SystemExit\(3\)"):
        await Function("execute", leaves, Threads(1))(3)


def test_a_short_function_that_exits_fails_alone() -> None:
    with pytest.raises(RuntimeError, match=r"\(leaves, .*\) raised SystemExit\(3\)"):
        Function("name_of", leaves, Threads(1)).call_sync(3)


class Words:
    def count(self, text: str) -> int:
        return len(text.split())

    def __call__(self, text: str) -> int:
        return self.count(text)


def execute(text: str) -> int:
    return len(text)


@functools.wraps(execute)
def decorated(*args: str) -> int:
    return execute(*args)


def line_of(function: Callable[..., object]) -> str:
    return f"{Path(__file__).name}:{function.__code__.co_firstlineno}"


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (leaves, f"execute of Texts (leaves, {line_of(leaves)})"),
        (execute, f"execute of Texts ({line_of(execute)})"),
        (decorated, f"execute of Texts ({line_of(execute)})"),
        (Words().count, f"execute of Texts (Words.count, {line_of(Words.count)})"),
    ],
    ids=["function", "role", "decorated", "method"],
)
def test_the_name_of_a_function_has_its_fan_out_and_its_place(
    function: Callable[..., object], name: str
) -> None:
    assert Function("execute", function, Threads(1, "Texts")).name == name


def test_the_place_of_a_callable_object_is_the_place_of_its_code() -> None:
    def inner(text: str) -> int:
        return len(text)

    called = Function("execute", Words(), Threads(1)).name
    partly = Function("execute", functools.partial(execute), Threads(1)).name
    nested = Function("execute", inner, Threads(1)).name

    assert called.endswith(f", {line_of(Words.__call__)})")
    assert partly.endswith(f", {line_of(execute)})")
    assert nested == f"execute (inner, {line_of(inner)})"


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
