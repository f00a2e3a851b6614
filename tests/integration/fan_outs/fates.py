"""Fan-outs whose subtasks do what their task says, for the random test.

What becomes of a subtask is one letter, its fate. Its value is a list of its index, so
that values can be combined.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from restate import Context, TerminalError

from parallelizework import CompletionReason, Done, Executor, Failure, FanOut, Policy

SLOW = 0.1  # seconds
HANGING = 2.0  # seconds that a sync subtask hangs, as nobody can cancel it


class Task(BaseModel):
    """A run of the random test.

    Attributes:
        key: A name that no other run has.
        fates: Of each subtask: "o" succeeds, "f" fails for good, a digit fails so many
            times and succeeds then, "s" is slow, "h" hangs, "d" is known already.
        shards: How many subtasks each shard has, where there are shards.
    """

    key: str
    fates: str
    shards: list[int] = []
    policy: Policy = Policy()


class Part(BaseModel):
    """A shard: some of the subtasks."""

    key: str
    first: int
    fates: str


class Subtask(BaseModel):
    key: str
    index: int
    fate: str


class Report(BaseModel):
    """The arguments of `aggregate`; a failure is index, status, code and attempts."""

    values: list[int]
    failures: list[tuple[int, str, int, int | None]]
    reason: CompletionReason


def _ledger(key: str) -> Path:
    return Path(tempfile.gettempdir()) / f"parallelizework-random-{key}"


def entered(subtask: Subtask, what: str) -> None:
    """Enter that an execution began, ended or raised into the ledger of the run."""
    flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY
    descriptor = os.open(_ledger(subtask.key), flags)
    try:
        os.write(descriptor, f"{what} {subtask.index}\n".encode())
    finally:
        os.close(descriptor)


def times(subtask: Subtask) -> int:
    """Return the number of attempts, with this attempt."""
    path = _ledger(f"{subtask.key}-{subtask.index}")
    with path.open("ab") as file:
        file.write(b".")
        return file.tell()


def outcome(subtask: Subtask) -> list[int]:
    """Return or raise the outcome of a subtask after its duration."""
    if subtask.fate == "f":
        entered(subtask, "raised")
        raise TerminalError("it fails", 418)
    if subtask.fate.isdigit() and times(subtask) <= int(subtask.fate):
        entered(subtask, "raised")
        raise ValueError("not yet")
    entered(subtask, "ended")
    return [subtask.index]


async def execute(subtask: Subtask) -> list[int]:
    entered(subtask, "began")
    await asyncio.sleep({"s": SLOW, "h": 3_600}.get(subtask.fate, 0))
    return outcome(subtask)


def execute_in_a_thread(subtask: Subtask) -> list[int]:
    entered(subtask, "began")
    time.sleep({"s": SLOW, "h": HANGING}.get(subtask.fate, 0))
    return outcome(subtask)


async def execute_durably(ctx: Context, subtask: Subtask) -> list[int]:
    seconds = {"s": SLOW, "h": 3_600}.get(subtask.fate, 0.001)
    await ctx.sleep(timedelta(seconds=seconds))
    entered(subtask, "began")
    return outcome(subtask)


def subtasks(key: str, first: int, fates: str) -> Iterator[Subtask | Done[list[int]]]:
    for index, fate in enumerate(fates, first):
        if fate == "d":
            yield Done([index])
        else:
            yield Subtask(key=key, index=index, fate=fate)


def split(task: Task) -> Iterator[Subtask | Done[list[int]]]:
    return subtasks(task.key, 0, task.fates)


def split_into_shards(task: Task) -> Iterator[Part]:
    first = 0
    for size in task.shards:
        yield Part(key=task.key, first=first, fates=task.fates[first : first + size])
        first += size


def expand(part: Part) -> Iterator[Subtask | Done[list[int]]]:
    return subtasks(part.key, part.first, part.fates)


def combine(values: list[list[int]]) -> list[int]:
    return [index for value in values for index in value]


def aggregate(
    values: list[list[int]],
    failures: list[Failure[Subtask]],
    reason: CompletionReason,
) -> Report:
    found = [(f.subtask.index, f.status, f.code, f.attempts) for f in failures]
    return Report(values=combine(values), failures=found, reason=reason)


SOON = timedelta(milliseconds=5)
served = Policy(max_attempts=3, initial_retry_interval=SOON, max_retry_interval=SOON)
plain: dict[str, Any] = {"split": split, "aggregate": aggregate, "policy": served}
sharded: dict[str, Any] = plain | {"split": split_into_shards, "expand": expand}

random_async = FanOut("RandomAsync", execute=execute, **plain)
random_sync = FanOut("RandomSync", execute=execute_in_a_thread, **plain)
random_code = FanOut("RandomCode", execute=execute_durably, **plain)
random_elsewhere = Executor("RandomElsewhere", execute=execute)
random_executor = FanOut("RandomExecutor", executor="RandomElsewhere", **plain)
random_combined = FanOut("RandomCombined", execute=execute, combine=combine, **plain)
random_sharded = FanOut("RandomSharded", execute=execute, **sharded)
random_sharded_combined = FanOut(
    "RandomShardedCombined", execute=execute, combine=combine, **sharded
)
random_sharded_code = FanOut("RandomShardedCode", execute=execute_durably, **sharded)
random_sharded_executor = FanOut(
    "RandomShardedExecutor", executor="RandomElsewhere", **sharded
)


def one(key: str) -> list[str]:
    return [key]


def lines(key: str) -> list[str]:
    path = _ledger(key)
    return path.read_text().splitlines() if path.exists() else []


def first(values: list[list[str]]) -> list[str]:
    return values[0]


random_ledger = FanOut("RandomLedger", split=one, execute=lines, aggregate=first)
