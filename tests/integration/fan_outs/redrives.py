"""Fan-outs whose failures a test repairs, before a redrive."""

import asyncio
from datetime import timedelta
from itertools import pairwise

from pydantic import BaseModel
from restate import Context, TerminalError

from parallelizework import Executor, FanOut, Policy

from .ledger import Lines, repairs, until_repaired
from .values import flat

EXECUTOR = "RedrivenElsewhere"


class Task(BaseModel):
    """Subtasks of which some fail, and some hang, until the key is repaired.

    Attributes:
        key: The name of the ledger.
        count: The number of subtasks.
        bad: The subtasks that fail.
        hanging: The subtasks that hang.
        shards: The number of shards, for a fan-out with shards.
        is_broken: Whether `aggregate` fails until the key is repaired.
        repairs: How many repairs are needed.
        pause: The duration of an execution in seconds.
    """

    key: str
    count: int
    bad: list[int] = []
    hanging: list[int] = []
    shards: int = 7
    is_broken: bool = False
    repairs: int = 1
    pause: float = 0
    policy: Policy = Policy()


class Subtask(BaseModel):
    key: str
    number: int
    is_bad: bool = False
    hangs: bool = False
    repairs: int = 1
    pause: float = 0


class Shard(BaseModel):
    task: Task
    first: int
    end: int


def _subtasks(task: Task, numbers: range) -> list[Subtask]:
    return [
        Subtask(
            key=task.key,
            number=number,
            is_bad=number in task.bad,
            hangs=number in task.hanging,
            repairs=task.repairs,
            pause=task.pause,
        )
        for number in numbers
    ]


def split(task: Task) -> list[Subtask]:
    record(task.key, "split")
    return _subtasks(task, range(task.count))


def shards(task: Task) -> list[Shard]:
    ends = [task.count * n // task.shards for n in range(task.shards + 1)]
    return [Shard(task=task, first=first, end=end) for first, end in pairwise(ends)]


def expand(shard: Shard) -> list[Subtask]:
    return _subtasks(shard.task, range(shard.first, shard.end))


LINES = Lines("redrive")
record, lines = LINES.record, LINES.of


def _outcome(subtask: Subtask) -> list[int]:
    if subtask.is_bad and repairs(subtask.key) < subtask.repairs:
        record(subtask.key, f"failed {subtask.number}")
        raise TerminalError(f"{subtask.number} is bad", 418)
    record(subtask.key, f"succeeded {subtask.number}")
    return [subtask.number]


async def execute(subtask: Subtask) -> list[int]:
    if subtask.hangs:
        await until_repaired(subtask.key)
    await asyncio.sleep(subtask.pause)
    return _outcome(subtask)


async def execute_durably(ctx: Context, subtask: Subtask) -> list[int]:
    while subtask.hangs and not repairs(subtask.key):
        await ctx.sleep(timedelta(seconds=0.2))
    await ctx.sleep(timedelta(milliseconds=1))
    return _outcome(subtask)


def aggregate(values: list[list[int]], task: Task) -> list[int]:
    if task.is_broken and not repairs(task.key):
        raise TerminalError("aggregate is broken", 500)
    return flat(values)


redriven = FanOut("Redriven", split=split, execute=execute, aggregate=aggregate)
redriven_combined = FanOut(
    "RedrivenCombined",
    split=split,
    execute=execute,
    combine=flat,
    aggregate=aggregate,
)
redriven_code = FanOut(
    "RedrivenCode", split=split, execute=execute_durably, aggregate=aggregate
)
redriven_executor = FanOut(
    "RedrivenExecutor", split=split, executor=EXECUTOR, aggregate=aggregate
)
redriven_elsewhere = Executor(EXECUTOR, execute=execute)
redriven_sharded = FanOut(
    "RedrivenSharded",
    split=shards,
    expand=expand,
    execute=execute,
    aggregate=aggregate,
)
redriven_sharded_combined = FanOut(
    "RedrivenShardedCombined",
    split=shards,
    expand=expand,
    execute=execute,
    combine=flat,
    aggregate=aggregate,
)


def split_if_repaired(task: Task) -> list[Subtask]:
    if not repairs(task.key):
        raise TerminalError("split is broken", 500)
    return split(task)


redriven_split_fails = FanOut(
    "RedrivenSplitFails", split=split_if_repaired, execute=execute, aggregate=aggregate
)


class Values(BaseModel):
    key: str
    numbers: list[int]


async def execute_with_key(subtask: Subtask) -> Values:
    return Values(key=subtask.key, numbers=await execute(subtask))


def combine_if_repaired(values: list[Values]) -> Values:
    key = values[0].key
    if not repairs(key):
        raise TerminalError("combine is broken", 500)
    return Values(key=key, numbers=flat([each.numbers for each in values]))


def aggregate_values(values: list[Values]) -> list[int]:
    return flat([each.numbers for each in values])


redriven_combine_fails = FanOut(
    "RedrivenCombineFails",
    split=shards,
    expand=expand,
    execute=execute_with_key,
    combine=combine_if_repaired,
    aggregate=aggregate_values,
)


redriven_ledger = LINES.fan_out("RedrivenLedger")
