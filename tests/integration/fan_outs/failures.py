"""Fan-outs of which a function fails, or misbehaves."""

import asyncio
import time
from datetime import timedelta

from pydantic import BaseModel
from restate import Context, TerminalError
from restate.exceptions import RetryableError

from parallelizework import Failure, FanOut, Policy

from .ledger import Keyed, Ledger, one
from .values import how_many, numbers, unchanged


def poisoned(number: int) -> int:
    if number == 2:
        raise ValueError("poison")
    return number


async def poisoned_code(ctx: Context, number: int) -> int:
    await ctx.sleep(timedelta(milliseconds=1))
    return poisoned(number)


async def refused(number: int) -> int:
    if number == 2:
        raise TerminalError("no such number", 404)
    return number


twice = Policy(max_attempts=2)
poison = FanOut(
    "Poison", split=numbers, execute=poisoned, aggregate=unchanged, policy=twice
)
poison_code = FanOut(
    "PoisonCode",
    split=numbers,
    execute=poisoned_code,
    aggregate=unchanged,
    policy=twice,
)
poison_batch = FanOut(
    "PoisonBatch",
    split=numbers,
    execute=poisoned,
    aggregate=unchanged,
    policy=Policy(max_items_per_batch=3, max_attempts=2),
)
refusing = FanOut("Refusing", split=numbers, execute=refused, aggregate=unchanged)


async def late_poison(number: int) -> int:
    if number == 1_100:
        raise TerminalError("poison", 418)
    await asyncio.sleep(0.02)
    return number


late = FanOut("Late", split=numbers, execute=late_poison, aggregate=unchanged)


def failing_split(task: Keyed) -> list[str]:
    executions = Ledger(f"{task.key}-split").enter()
    if task.fail == "split":
        raise TerminalError("this task cannot be split", 422)
    if task.fail == "split for ever" or (task.fail == "split once" and executions == 1):
        raise OSError("the list of parts is away")
    return ["part"]


def passed_on(part: str) -> str:
    return part


def joined(values: list[str]) -> str:
    return "".join(values)


splitting = FanOut(
    "Splitting", split=failing_split, execute=passed_on, aggregate=joined, policy=twice
)


def same(task: Keyed) -> Keyed:
    return task


def added_up(tasks: list[Keyed]) -> int:
    executions = Ledger(f"{tasks[0].key}-aggregate").enter()
    if tasks[0].fail == "aggregate":
        raise TerminalError("these values do not add up", 422)
    if tasks[0].fail == "aggregate once" and executions == 1:
        raise OSError("not yet")
    return executions


aggregating = FanOut("Aggregating", split=one, execute=same, aggregate=added_up)


class Rough(BaseModel):
    """A subtask that misbehaves; `how` says in which way."""

    key: str
    how: str
    policy: Policy = Policy()


def roughly(task: Rough) -> list[Rough]:
    if task.how == "split":
        time.sleep(2)
    return [task] * 4


async def broken(entries: int) -> None:
    await asyncio.sleep(0)
    raise ValueError(f"entry {entries}")


async def misbehaved(task: Rough) -> float:
    entries = Ledger(task.key).enter()
    match task.how:
        case "code":
            raise TerminalError("no such code", 70_000)
        case "message":
            raise ValueError("x" * 33 * 2**20)
        case "stubborn":
            try:
                await asyncio.sleep(300 if entries > 1 else 0)
            except asyncio.CancelledError:
                raise ConnectionError("closed") from None
        case "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(broken(entries))
        case "infinity":
            return float("inf")
        case _:
            pass
    return 0.5


def smallest(values: list[float], _failures: list[Failure[Rough]]) -> list[float]:
    return values


rough = FanOut("Rough", split=roughly, execute=misbehaved, aggregate=smallest)


async def busy(ctx: Context, task: Rough) -> float:
    await ctx.sleep(timedelta(milliseconds=1))
    Ledger(task.key).enter()
    raise RetryableError("busy", 429, timedelta(milliseconds=10))


rough_code = FanOut(
    "RoughCode", split=roughly, execute=busy, aggregate=smallest, policy=twice
)


class Loud(BaseModel):
    """A task of `count` subtasks, which fail with a message of `length` letters."""

    count: int
    length: int = 0
    code: int = 500
    policy: Policy = Policy.all_settled()


class Cry(BaseModel):
    number: int
    length: int
    code: int


def cries(task: Loud) -> list[Cry]:
    return [
        Cry(number=number, length=task.length, code=task.code)
        for number in range(task.count)
    ]


async def cry(cry: Cry) -> int:
    raise TerminalError("x" * cry.length, cry.code)


loud = FanOut("Loud", split=cries, execute=cry, aggregate=how_many)
