"""Redrives in memory: handler code starts a run, and redrives it."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from restate import Context, TerminalError

from parallelizework import Failure, FanOut, Policy
from parallelizework.testing import run_inline

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def once(number: int) -> list[int]:
    return [number]


def only(values: list[Any]) -> Any:
    return values[0]


def outcome(
    execute: Any, fan_out: FanOut[Any, Any, Any, Any], seed: int | None = None
) -> Any:
    """What handler code returns that calls a fan-out with `execute`."""
    driver = FanOut("Driver", split=once, execute=execute, aggregate=only)
    return run_inline(driver, 0, services=[fan_out], seed=seed).result


async def redrive_of_held(
    ctx: Context, selection: dict[str, Any]
) -> tuple[str, list[int]]:
    """Start a run, redrive it when it is held, and return its id and its result."""
    call = ctx.generic_call("Redriven", "run", b"3")
    run = await call.invocation_id()
    await ctx.sleep(timedelta(seconds=30))
    await ctx.generic_call("FanOutRedrive", "redrive", to_json(selection), key=run)
    return run, from_json(await call)


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
        _, result = await redrive_of_held(ctx, {"policy": {"deadline": 60}})
        return result

    assert outcome(execute, redriven) == [0, 1, 2]


async def ended_run(ctx: Context) -> str:
    """Start a run, wait for its end, and return its id."""
    call = ctx.generic_call("Redriven", "run", b"4")
    with suppress(TerminalError):
        await call
    return await call.invocation_id()


async def redrive_of_ended(ctx: Context, request: dict[str, Any]) -> Any:
    """Start a run, and redrive it when it has ended."""
    body = to_json({"run": await ended_run(ctx), **request})
    return from_json(await ctx.generic_call("Redriven", "redrive", body))


def test_subtasks_of_expanded_shards_have_not_ended_at_a_deadline() -> None:
    tries: Counter[int] = Counter()

    def expand(shard: int) -> list[int]:
        return [10 * shard, 10 * shard + 1]

    async def fail_and_hang(number: int) -> int:
        tries[number] += 1
        if tries[number] == 1:
            raise TerminalError("it fails once")
        await asyncio.sleep(5)
        return number

    def indexes_of(
        _values: list[int], failures: list[Failure[int]]
    ) -> list[tuple[int | None, int, int]]:
        return [(each.shard, each.index, each.subtask) for each in failures]

    redriven: FanOut[Any, Any, Any, Any] = FanOut(
        "Redriven",
        split=numbers,
        expand=expand,
        execute=fail_and_hang,
        aggregate=indexes_of,
        policy=Policy(tolerated_failure_percentage=100),
    )

    async def execute(ctx: Context, _number: int) -> Any:
        policy = {"deadline": 1, "on_deadline": "answer", "max_concurrency": 1}
        return await redrive_of_ended(ctx, {"policy": policy})

    assert outcome(execute, redriven) == [
        [shard, index, 10 * shard + index] for shard in range(4) for index in range(2)
    ]


@pytest.mark.parametrize("seed", range(20))  # some cancel it during the claim
def test_a_redrive_that_is_cancelled_while_it_claims_keeps_no_claim(seed: int) -> None:
    def fail(_number: int) -> int:
        raise TerminalError("it fails")

    redriven = FanOut("Redriven", split=numbers, execute=fail, aggregate=listed)

    async def execute(ctx: Context, _number: int) -> Any:
        run = await ended_run(ctx)
        redrive = ctx.generic_call("Redriven", "redrive", to_json({"run": run}))
        ctx.cancel_invocation(await redrive.invocation_id())
        with suppress(TerminalError):
            await redrive
        await ctx.sleep(SECOND)
        return from_json(await ctx.generic_call("FanOutRedrive", "get", b"", key=run))

    assert not outcome(execute, redriven, seed=seed)["is_redriving"]


@pytest.mark.parametrize("policy", [{"stream": False}, {}, {"stream": True}])
def test_a_stream_ends_also_if_a_redrive_no_longer_uses_it(
    policy: dict[str, Any],
) -> None:
    tries: Counter[int] = Counter()

    def fail_once(number: int) -> int:
        tries[number] += 1
        if number == 1 and tries[number] == 1:
            raise TerminalError("it fails once")
        return number

    redriven = FanOut(
        "Redriven",
        split=numbers,
        execute=fail_once,
        aggregate=listed,
        policy=Policy(stream=True, hold=HOUR),
    )

    async def execute(ctx: Context, _number: int) -> Any:
        run, result = await redrive_of_held(ctx, {"policy": policy})
        await ctx.sleep(SECOND)
        part = await ctx.generic_call("FanOutOutcomes", "read", b"0", key=run)
        return result, from_json(part)["is_last"]

    assert outcome(execute, redriven) == [[0, 1, 2], True]
