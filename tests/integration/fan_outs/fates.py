"""The fan-outs of the random test on a server, and their ledger."""

import asyncio
import time
from datetime import timedelta

from restate import Context, TerminalError

from parallelizework import Executor

from ..random_fan_outs import EXECUTOR, SLOW, Subtask, fan_outs
from .ledger import Ledger, Lines, repairs

HANGING = 2.0  # seconds that a sync subtask hangs: a thread cannot be cancelled


LINES = Lines("random")


def record(subtask: Subtask, event: str) -> None:
    """Record in the ledger of the run that an execution began, ended or raised."""
    LINES.record(subtask.key, f"{event} {subtask.index}")


def count_attempts(subtask: Subtask) -> int:
    """Return the number of attempts, including this attempt."""
    return Ledger(f"random-{subtask.key}-{subtask.index}").enter()


def outcome(subtask: Subtask) -> list[int]:
    """Return or raise the outcome of a subtask after its duration."""
    if subtask.fate == "f" and not repairs(subtask.key):
        record(subtask, "raised")
        raise TerminalError("it fails", 418)
    is_digit = subtask.fate.isdigit() and not repairs(subtask.key)
    if is_digit and count_attempts(subtask) <= int(subtask.fate):
        record(subtask, "raised")
        raise ValueError("not yet")
    record(subtask, "ended")
    return [subtask.index]


def seconds(subtask: Subtask, hanging: float) -> float:
    """Return how long a subtask takes."""
    if subtask.fate == "h":
        return 0 if repairs(subtask.key) else hanging
    return SLOW if subtask.fate == "s" else 0


async def execute(subtask: Subtask) -> list[int]:
    record(subtask, "began")
    await asyncio.sleep(seconds(subtask, 3_600))
    return outcome(subtask)


def execute_in_a_thread(subtask: Subtask) -> list[int]:
    record(subtask, "began")
    time.sleep(seconds(subtask, HANGING))
    return outcome(subtask)


async def execute_durably(ctx: Context, subtask: Subtask) -> list[int]:
    await ctx.sleep(timedelta(seconds=seconds(subtask, 3_600) or 0.001))
    record(subtask, "began")
    return outcome(subtask)


(
    random_async,
    random_sync,
    random_code,
    random_executor,
    random_combined,
    random_sharded,
    random_sharded_combined,
    random_sharded_code,
    random_sharded_executor,
) = fan_outs(execute, execute_in_a_thread, execute_durably)
random_elsewhere = Executor(EXECUTOR, execute=execute)


random_ledger = LINES.fan_out("RandomLedger")
