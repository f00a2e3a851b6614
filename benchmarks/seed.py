"""Hand-written fan-outs for a comparison.

`SeedRpc` and `SeedRuns` have one coordinator and one gather over all calls. `Tree` has
a coordinator for each segment, and gathers a window of calls at a time.

As a script, it serves them: `python -m benchmarks.seed PORT`.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config
from restate import Context, RestateDurableFuture, RunOptions, Service

rpc = Service("SeedRpc")
runs = Service("SeedRuns")
tree = Service("Tree")

SEGMENT = 1_000  # subtasks of one coordinator of `Tree`
WINDOW = 64  # calls that one coordinator of `Tree` has in flight


async def split(count: int) -> list[int]:
    """Return `count` subtasks."""
    return list(range(count))


@rpc.handler(name="run")
async def run_rpcs(ctx: Context, count: int) -> int:
    """Fan out over calls, and gather them all at once."""
    subtasks = await ctx.run_typed("split", split, RunOptions(type_hint=list), count)
    calls = [ctx.service_call(run_subtask, subtask) for subtask in subtasks]
    await restate.gather(*calls)
    return sum([await call for call in calls])


@rpc.handler(name="runSubtask")
async def run_subtask(ctx: Context, number: int) -> int:
    """Do nothing, as a durable step."""
    return await ctx.run_typed("execute", execute, RunOptions(type_hint=int), number)


@runs.handler(name="run")
async def run_steps(ctx: Context, count: int) -> int:
    """Fan out over durable steps of one handler, and gather them all at once."""
    subtasks = await ctx.run_typed("split", split, RunOptions(type_hint=list), count)
    steps = [
        ctx.run_typed("execute", execute, RunOptions(type_hint=int), subtask)
        for subtask in subtasks
    ]
    await restate.gather(*steps)
    return sum([await step for step in steps])


@tree.handler(name="run")
async def run_tree(ctx: Context, count: int) -> int:
    """Fan out over segments."""
    subtasks = await ctx.run_typed("split", split, RunOptions(type_hint=list), count)
    segments = [subtasks[start : start + SEGMENT] for start in range(0, count, SEGMENT)]
    return sum(
        await gathered(lambda each: ctx.service_call(run_segment, each), segments)
    )


@tree.handler(name="runSegment")
async def run_segment(ctx: Context, subtasks: list[int]) -> int:
    """Fan out over subtasks."""
    return sum(await gathered(lambda each: ctx.service_call(run_leaf, each), subtasks))


@tree.handler(name="runSubtask")
async def run_leaf(_ctx: Context, number: int) -> int:
    """Do nothing."""
    return number


async def gathered(
    call: Callable[[Any], RestateDurableFuture[int]], items: list[Any]
) -> list[int]:
    """Make a call for each item, a window at a time; return the answers in order."""
    answers: list[int] = []
    for start in range(0, len(items), WINDOW):
        calls = [call(item) for item in items[start : start + WINDOW]]
        await restate.gather(*calls)
        answers += [await each for each in calls]
    return answers


async def execute(number: int) -> int:
    """Do nothing."""
    return number


if __name__ == "__main__":
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    config.h2_max_concurrent_streams = 2**31 - 1
    config.keep_alive_max_requests = 2**31 - 1
    config.keep_alive_timeout = 2**31 - 1
    config.errorlog = None
    asyncio.run(serve(restate.app([rpc, runs, tree]), config))  # type: ignore[arg-type]
