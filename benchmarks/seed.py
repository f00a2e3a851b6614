"""Simple fan-outs for a comparison: one coordinator and one gather over all calls.

As a script, it serves them: `python benchmarks/seed.py PORT`.
"""

import asyncio
import sys

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config
from restate import Context, RunOptions, Service

rpc = Service("SeedRpc")
runs = Service("SeedRuns")


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
    asyncio.run(serve(restate.app([rpc, runs]), config))  # type: ignore[arg-type]
