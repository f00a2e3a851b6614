"""The fan-outs of the suite. The task alone determines the correct result."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field
from restate import Context, TerminalError

from parallelizework import Failure, FanOut, Policy
from tests.faults.history import Run
from tests.faults.ledger import Ledger

_SHARD = 50  # subtasks


class Task(BaseModel):
    """The task of a run.

    Attributes:
        run: The name of the run in the ledger.
        first: The value of the first subtask; the next values follow it.
        count: The number of subtasks.
        pause: The duration of an execution in seconds.
    """

    ledger: Path
    run: str
    first: int
    count: int
    pause: float
    policy: Policy = Policy()


class Subtask(BaseModel):
    ledger: Path
    run: str
    index: int
    value: int
    pause: float


class Shard(BaseModel):
    task: Task
    start: int


class Result(BaseModel):
    """The result of a run.

    Attributes:
        values: The values in the order of the subtasks.
        failed: The indexes of the subtasks that failed.
        stamp: A unique text for each execution of `aggregate`.
    """

    values: list[int]
    failed: list[int] = []
    stamp: str = Field(default_factory=lambda: uuid4().hex)


def split(task: Task) -> Iterator[Subtask]:
    return subtasks(task, range(task.count))


def subtasks(task: Task, indexes: range) -> Iterator[Subtask]:
    for index in indexes:
        yield Subtask(
            ledger=task.ledger,
            run=task.run,
            index=index,
            value=task.first + index,
            pause=task.pause,
        )


async def execute(subtask: Subtask) -> int:
    with Ledger(subtask.ledger).execution(subtask.run, subtask.index):
        await asyncio.sleep(subtask.pause)
    return subtask.value


def execute_in_a_thread(subtask: Subtask) -> int:
    with Ledger(subtask.ledger).execution(subtask.run, subtask.index):
        time.sleep(subtask.pause)
    return subtask.value


async def execute_durably(ctx: Context, subtask: Subtask) -> int:
    await ctx.sleep(timedelta(seconds=subtask.pause))
    return await ctx.run_typed("execute", partial(execute, subtask))


def always_fails(index: int) -> bool:
    return index % 10 == 3


async def execute_with_errors(subtask: Subtask) -> int:
    """Some subtasks always fail, and some fail once."""
    ledger = Ledger(subtask.ledger)
    with ledger.execution(subtask.run, subtask.index):
        await asyncio.sleep(subtask.pause)
        if always_fails(subtask.index):
            raise TerminalError("it fails", 418)
        if subtask.index % 10 == 7 and ledger.is_first(subtask.run, subtask.index):
            raise RuntimeError("not yet")
    return subtask.value


def shards(task: Task) -> Iterator[Shard]:
    for start in range(0, task.count, _SHARD):
        yield Shard(task=task, start=start)


def expand(shard: Shard) -> Iterator[Subtask]:
    end = min(shard.start + _SHARD, shard.task.count)
    return subtasks(shard.task, range(shard.start, end))


async def execute_to_a_list(subtask: Subtask) -> list[int]:
    return [await execute(subtask)]


def combine(lists: list[list[int]]) -> list[int]:
    return [value for each in lists for value in each]


def aggregate(values: list[int]) -> Result:
    return Result(values=values)


def aggregate_lists(lists: list[list[int]]) -> Result:
    return Result(values=combine(lists))


def aggregate_with_failures(
    values: list[int], failures: list[Failure[Subtask]]
) -> Result:
    return Result(values=values, failed=[failure.index for failure in failures])


plain = FanOut("Plain", split=split, execute=execute, aggregate=aggregate)
threads = FanOut(
    "Threads", split=split, execute=execute_in_a_thread, aggregate=aggregate
)
# Restate counts an attempt when a worker is killed, so there may be many attempts.
code = FanOut(
    "Code",
    split=split,
    execute=execute_durably,
    aggregate=aggregate,
    policy=Policy(max_attempts=1_000, max_retry_interval=timedelta(seconds=1)),
)
batches = FanOut(
    "Batches",
    split=split,
    execute=execute,
    aggregate=aggregate,
    policy=Policy(max_items_per_batch=16),
)
tolerant = FanOut(
    "Tolerant",
    split=split,
    execute=execute_with_errors,
    aggregate=aggregate_with_failures,
    policy=Policy(tolerated_failure_percentage=20),
)
sharded = FanOut(
    "Sharded",
    split=shards,
    expand=expand,
    execute=execute_to_a_list,
    combine=combine,
    aggregate=aggregate_lists,
)


@dataclass(frozen=True)
class Work:
    """A kind of run.

    Attributes:
        few, many: The minimum and the maximum number of subtasks.
        quorum: The run ends when half of the subtasks have succeeded.
        fails: Some subtasks always fail.
    """

    fan_out: FanOut[Task, Any, Any, Result]
    few: int
    many: int
    quorum: bool = False
    fails: bool = False

    def with_policy(self, task: Task) -> Task:
        """Return the task with the policy of this kind of run."""
        if not self.quorum:
            return task
        policy = Policy(min_successful=task.count // 2)
        return task.model_copy(update={"policy": policy})

    def expected(self, task: Task) -> Run:
        """Return the run that is correct for this task."""
        failing = filter(always_fails, range(task.count)) if self.fails else ()
        return Run(
            name=task.run,
            subtasks=task.count,
            slots=self.fan_out.definition.policy.slots,
            failing=frozenset(failing),
            enough=task.policy.min_successful,
        )


WORK = {
    "small": Work(plain, 1, 4),
    "plain": Work(plain, 300, 900),
    "segments": Work(plain, 1_100, 3_000),
    "threads": Work(threads, 300, 900),
    "code": Work(code, 200, 500),
    "batches": Work(batches, 2_000, 5_000),
    "tolerance": Work(tolerant, 300, 900, fails=True),
    "quorum": Work(plain, 400, 900, quorum=True),
    "shards": Work(sharded, 300, 1_500),
}
