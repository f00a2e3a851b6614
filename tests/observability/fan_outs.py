"""Fan-outs whose metrics are known exactly."""

import os
import signal
from datetime import timedelta
from pathlib import Path

from restate import Context, TerminalError

from parallelizework import Attempt, FanOut, Policy, Waiting

SETTLED = Policy(
    tolerated_failure_percentage=100, initial_retry_interval=timedelta(milliseconds=1)
)
SOON = timedelta(milliseconds=1)


def split(count: int) -> list[int]:
    return list(range(count))


def aggregate(values: list[int]) -> int:
    return len(values)


def execute(number: int, attempt: Attempt) -> int:
    """Of ten subtasks, one fails, and one succeeds at its second attempt."""
    if number % 10 == 0:
        raise TerminalError("it fails", 418)
    if number % 10 == 1 and attempt.number == 1:
        raise ValueError("not yet")
    return number


def wait(number: int) -> int | Waiting[int]:
    return Waiting(within=SOON)


async def execute_durably(ctx: Context, number: int) -> int:
    """Handler code that Restate suspends and executes again."""
    await ctx.sleep(SOON)
    await ctx.sleep(SOON)
    return number


def kill(path: str) -> int:
    """Kill the process of the worker, but only once."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


def one(path: str) -> list[str]:
    return [path]


metered = FanOut(
    "Metered", split=split, execute=execute, aggregate=aggregate, policy=SETTLED
)
metered_batches = FanOut(
    "MeteredBatches",
    split=split,
    execute=execute,
    aggregate=aggregate,
    policy=SETTLED.model_copy(update={"max_items_per_batch": 8}),
)
metered_failure = FanOut(
    "MeteredFailure", split=split, execute=execute, aggregate=aggregate
)
metered_waits = FanOut(
    "MeteredWaits", split=split, execute=wait, aggregate=aggregate, policy=SETTLED
)
metered_code = FanOut(
    "MeteredCode", split=split, execute=execute_durably, aggregate=aggregate
)
metered_kill = FanOut("MeteredKill", split=one, execute=kill, aggregate=aggregate)
