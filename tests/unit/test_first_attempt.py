"""The first attempt at a subtask is no step; its failure is one, if another follows."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from restate import TerminalError
from restate.vm import Failure

from parallelizework import FanOut, Policy
from parallelizework.messages import HandlerName
from parallelizework.testing.clock import SkippingLoop
from parallelizework.testing.journal import Request
from parallelizework.testing.server import Invocation, Server

Execute = Callable[[int], Awaitable[int]]


def split(count: int) -> list[int]:
    return list(range(count))


def total(numbers: list[int]) -> int:
    return sum(numbers)


def invoked(
    execute: Execute,
    policy: Policy | None = None,
    *,
    replays: bool = False,
    cancel_after: float | None = None,
) -> Invocation:
    """Call `runSubtask` in memory, and wait for its end."""
    fan_out = FanOut(
        "Test", split=split, execute=execute, aggregate=total, policy=policy
    )
    services: list[Any] = fan_out.services

    async def until_its_end() -> Invocation:
        server = Server(services, random=None, replays=replays)
        called = server.invoke(Request("Test", HandlerName.RUN_SUBTASK, b"7"))
        if cancel_after == 0:
            called.cancel()
        elif cancel_after is not None:
            asyncio.get_running_loop().call_later(cancel_after, called.cancel)
        await called.finished()
        return called

    def loop() -> SkippingLoop:
        return SkippingLoop(lambda: False, lambda: None)

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(until_its_end())


def steps(called: Invocation) -> int:
    return sum(command[0] == "run" for command in called.journal.commands)


def failing(times: int, error: Exception) -> tuple[Execute, list[int]]:
    """Return a function that fails that often, and the list of its calls."""
    calls = list[int]()

    async def execute(number: int) -> int:
        calls.append(number)
        if len(calls) <= times:
            raise error
        return number

    return execute, calls


def test_an_attempt_that_succeeds_leaves_no_step() -> None:
    execute, calls = failing(0, ValueError())

    called = invoked(execute)

    assert (called.output, calls, steps(called)) == (b"7", [7], 0)


@pytest.mark.parametrize("replays", [False, True])
def test_each_attempt_that_fails_is_a_step(*, replays: bool) -> None:
    execute, calls = failing(2, ValueError("not yet"))

    called = invoked(execute, replays=replays)

    assert (called.output, len(calls), steps(called)) == (b"7", 3, 3)


def test_a_final_error_leaves_no_step() -> None:
    execute, calls = failing(9, TerminalError("never", 418))

    called = invoked(execute)

    assert isinstance(called.output, Failure)
    assert (called.output.code, len(calls), steps(called)) == (418, 1, 0)


def test_the_last_of_one_attempt_is_the_end() -> None:
    execute, calls = failing(9, ValueError("no"))

    called = invoked(execute, Policy(max_attempts=1))

    assert isinstance(called.output, Failure)
    assert (called.output.code, len(calls)) == (500, 1)


@pytest.mark.parametrize("replays", [False, True])
def test_a_running_attempt_hears_that_its_subtask_is_cancelled(
    *, replays: bool
) -> None:
    seen = list[str]()

    async def execute(number: int) -> int:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return number

    called = invoked(execute, replays=replays, cancel_after=1.0)

    assert isinstance(called.output, Failure)
    assert (called.output.code, called.output.message) == (409, "cancelled")
    assert called.ended is not None
    assert called.ended < 3_600
    assert seen == ["cancelled"]


def test_a_subtask_that_was_cancelled_before_its_start_is_not_executed() -> None:
    execute, calls = failing(0, ValueError())

    called = invoked(execute, cancel_after=0.0)

    assert isinstance(called.output, Failure)
    assert (called.output.code, calls) == (409, [])
