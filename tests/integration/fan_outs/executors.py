"""Fan-outs whose subtasks are executed by another service."""

import asyncio
import os
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from restate import Context

from parallelizework import Executor, Failure, FanOut, Policy

from .ledger import until_repaired
from .waiting import Item, Waiting, items


async def squared_elsewhere(item: Item) -> tuple[int, int]:
    if item.waits:
        await until_repaired(item.key)
    if item.number < 0:
        raise ValueError("poison")
    return item.number * item.number, os.getpid()


def with_processes(values: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return values


def items_and_poison(task: Waiting) -> list[Item]:
    return [*items(task), Item(key=task.key, number=-1, waits=False)]


remote_squares = Executor("RemoteSquares", execute=squared_elsewhere)
remote = FanOut(
    "Remote", split=items, executor="RemoteSquares", aggregate=with_processes
)
remote_batch = FanOut(
    "RemoteBatch",
    split=items,
    executor="RemoteSquares",
    aggregate=with_processes,
    policy=Policy(max_items_per_batch=16),
)
remote_poison = FanOut(
    "RemotePoison",
    split=items_and_poison,
    executor="RemoteSquares",
    aggregate=with_processes,
    policy=Policy(max_attempts=2),
)


class Wait(BaseModel):
    seconds: float
    policy: Policy = Policy()


def waits(wait: Wait) -> list[Wait]:
    return [wait] * 2


async def waited(wait: Wait) -> float:
    await asyncio.sleep(wait.seconds)
    return wait.seconds


async def waited_durably(ctx: Context, wait: Wait) -> float:
    if wait.seconds < 0:
        raise ValueError("a pause in the past")
    await ctx.sleep(timedelta(seconds=wait.seconds))
    return wait.seconds


def count_and_kinds(values: list[float], failures: list[Failure[Wait]]) -> list[str]:
    return [f"{f.status} {f.code}: {f.message}" for f in failures] or ["succeeded"]


def counted_attempts(
    values: list[float], failures: list[Failure[Wait]]
) -> list[int | None]:
    return [failure.attempts for failure in failures]


def elsewhere(
    name: str, executor: str, **policy: Any
) -> FanOut[Wait, Wait, float, list[str]]:
    return FanOut(
        name,
        split=waits,
        executor=executor,
        aggregate=count_and_kinds,
        policy=Policy(tolerated_failure_percentage=100, **policy),
    )


waiter = Executor("Waiter", execute=waited)
hasty_waiter = Executor(
    "HastyWaiter",
    execute=waited,
    policy=Policy(max_attempts=1, attempt_timeout=timedelta(seconds=0.5)),
)
code_waiter = Executor("CodeWaiter", execute=waited_durably)
pausing_waiter = Executor(
    "PausingWaiter", execute=waited, policy=Policy(on_exhausted="pause")
)
_SOON = timedelta(seconds=0.5)
waits_one = elsewhere("Waits", "Waiter", subtask_timeout=_SOON)
waits_batch = elsewhere(
    "WaitsBatch", "Waiter", subtask_timeout=_SOON, max_items_per_batch=2
)
tries_one = elsewhere("Tries", "Waiter", attempt_timeout=_SOON, max_attempts=2)
tries_batch = elsewhere(
    "TriesBatch",
    "Waiter",
    attempt_timeout=_SOON,
    max_attempts=2,
    max_items_per_batch=2,
)
hasty = elsewhere("Hasty", "HastyWaiter")
hasty_batch = elsewhere("HastyBatch", "HastyWaiter", max_items_per_batch=2)
code_plain = elsewhere("CodePlain", "CodeWaiter", subtask_timeout=_SOON)
code_attempts = FanOut(
    "CodeAttempts",
    split=waits,
    executor="CodeWaiter",
    aggregate=counted_attempts,
    policy=Policy(tolerated_failure_percentage=100, max_attempts=3),
)
code_timeout = elsewhere("CodeTimeout", "CodeWaiter", attempt_timeout=_SOON)
code_batch = elsewhere("CodeBatch", "CodeWaiter", max_items_per_batch=2)
paused_batch = elsewhere("PausedBatch", "PausingWaiter", max_items_per_batch=2)
