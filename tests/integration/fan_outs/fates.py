"""The fan-outs of the random test on a server, and their ledger."""

import asyncio
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from restate import Context, TerminalError

from parallelizework import Executor, FanOut

from ..random_fan_outs import EXECUTOR, SLOW, Subtask, fan_outs
from .ledger import repairs

HANGING = 2.0  # seconds that a sync subtask hangs: a thread cannot be cancelled


def _ledger(key: str) -> Path:
    return Path(tempfile.gettempdir()) / f"parallelizework-random-{key}"


def record(subtask: Subtask, event: str) -> None:
    """Record in the ledger of the run that an execution began, ended or raised."""
    flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY
    descriptor = os.open(_ledger(subtask.key), flags)
    try:
        os.write(descriptor, f"{event} {subtask.index}\n".encode())
    finally:
        os.close(descriptor)


def count_attempts(subtask: Subtask) -> int:
    """Return the number of attempts, including this attempt."""
    path = _ledger(f"{subtask.key}-{subtask.index}")
    with path.open("ab") as file:
        file.write(b".")
        return file.tell()


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


def one(key: str) -> list[str]:
    return [key]


def lines(key: str) -> list[str]:
    path = _ledger(key)
    return path.read_text().splitlines() if path.exists() else []


def first(values: list[list[str]]) -> list[str]:
    return values[0]


random_ledger = FanOut("RandomLedger", split=one, execute=lines, aggregate=first)
