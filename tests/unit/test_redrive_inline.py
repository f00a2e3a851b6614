"""Redrives in memory: handler code starts a run, and redrives it."""

import asyncio
from datetime import timedelta
from typing import Any

from pydantic_core import from_json, to_json
from restate import Context

from parallelizework import FanOut, Policy
from parallelizework.testing import run_inline

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def once(number: int) -> list[int]:
    return [number]


def only(values: list[Any]) -> Any:
    return values[0]


def outcome(execute: Any, fan_out: FanOut[Any, Any, Any, Any]) -> Any:
    """What handler code returns that calls a fan-out with `execute`."""
    driver = FanOut("Driver", split=once, execute=execute, aggregate=only)
    return run_inline(driver, 0, services=[fan_out]).result


async def redrive_of_held(ctx: Context, selection: dict[str, Any]) -> Any:
    """Start a run, redrive it when it is held, and return its result."""
    call = ctx.generic_call("Redriven", "run", b"3")
    run = await call.invocation_id()
    await ctx.sleep(timedelta(seconds=30))
    await ctx.generic_call("FanOutRedrive", "redrive", to_json(selection), key=run)
    return from_json(await call)


def numbers(count: int) -> list[int]:
    return list(range(count))


def same(number: int) -> int:
    return number


def listed(values: list[int]) -> list[int]:
    return values


def test_a_run_that_is_held_since_its_split_is_split_again() -> None:
    async def split(count: int) -> list[int]:
        await asyncio.sleep(5)
        return numbers(count)

    policy = Policy(deadline=SECOND, hold=HOUR)
    redriven = FanOut(
        "Redriven", split=split, execute=same, aggregate=listed, policy=policy
    )

    async def execute(ctx: Context, _number: int) -> Any:
        return await redrive_of_held(ctx, {"policy": {"deadline": 60}})

    assert outcome(execute, redriven) == [0, 1, 2]
