"""Fan-outs whose subtasks wait until a test repairs something."""

import asyncio
from datetime import timedelta

from pydantic import BaseModel
from restate import Context, TerminalError

from parallelizework import FanOut, Policy

from .ledger import Ledger, repairs, until_repaired
from .values import added, unchanged


class Waiting(BaseModel):
    """A task of `count` subtasks; the first `free` ones do not wait for a repair."""

    key: str = ""
    count: int
    free: int


class Item(BaseModel):
    key: str
    number: int
    waits: bool


def items(task: Waiting) -> list[Item]:
    return [
        Item(key=task.key, number=number, waits=number >= task.free)
        for number in range(task.count)
    ]


async def executed_once_repaired(item: Item) -> int:
    executions = Ledger(f"{item.key}-{item.number}").enter()
    if item.waits:
        await until_repaired(item.key)
    return executions


staggering = FanOut(
    "Staggering", split=items, execute=executed_once_repaired, aggregate=unchanged
)


async def one_by_one(item: Item) -> int:
    """Wait until the key has been repaired `number + 1` times."""
    await until_repaired(item.key, item.number + 1)
    return item.number


stepping = FanOut("Stepping", split=items, execute=one_by_one, aggregate=unchanged)


async def idled(item: Item) -> int:
    """Wait for 0.1 s, or not at all once the key is repaired."""
    if not repairs(item.key):
        await asyncio.sleep(0.1)
    return 1


idling = FanOut(
    "Idling",
    split=items,
    execute=idled,
    aggregate=added,
    policy=Policy(max_concurrency=4),
)


async def clinging(ctx: Context, item: Item) -> int:
    """Ignore a cancellation until the key is repaired."""
    if item.waits:
        try:
            await ctx.sleep(timedelta(hours=1))
        except TerminalError:
            await ctx.run_typed("repair", until_repaired, key=item.key)
    return item.number


clingers = FanOut(
    "Clingers",
    split=items,
    execute=clinging,
    aggregate=unchanged,
    policy=Policy.first_successful(),
)
