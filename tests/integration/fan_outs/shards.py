"""Fan-outs with shards, segments, and batches."""

import asyncio
from collections.abc import Iterator

from pydantic import BaseModel

from parallelizework import FanOut, Policy

from .ledger import repairs
from .values import added, how_many, itself, numbers, square, unchanged

Bounds = tuple[int, int]


def tens(count: int) -> list[Bounds]:
    return [(start, min(start + 10, count)) for start in range(0, count, 10)]


def ten(bounds: Bounds) -> Iterator[int]:
    yield from range(*bounds)


def how_many_and_sum(values: list[int]) -> tuple[int, int]:
    return len(values), sum(values)


sharded = FanOut("Sharded", split=tens, expand=ten, execute=itself, aggregate=unchanged)
combined = FanOut(
    "Combined",
    split=tens,
    expand=ten,
    execute=itself,
    combine=added,
    aggregate=how_many_and_sum,
)
segmented = FanOut(
    "Segmented",
    split=numbers,
    execute=itself,
    aggregate=unchanged,
    policy=Policy(max_concurrency=100),
)
batched = FanOut(
    "Batched",
    split=numbers,
    execute=square,
    aggregate=unchanged,
    policy=Policy(max_items_per_batch=16),
)


class Idle(BaseModel):
    """A task of `count` subtasks, which take 1 s, or no time after a repair."""

    key: str
    count: int


def shards(task: Idle) -> list[Idle]:
    return [Idle(key=task.key, count=20)] * (task.count // 20)


def keys(task: Idle) -> list[str]:
    return [task.key] * task.count


async def idle(key: str) -> int:
    if not repairs(key):
        await asyncio.sleep(1)
    return 1


few = Policy(max_concurrency=8)
idling_sharded = FanOut(
    "IdlingSharded",
    split=shards,
    expand=keys,
    execute=idle,
    aggregate=how_many,
    policy=few,
)
idling_segmented = FanOut(
    "IdlingSegmented", split=keys, execute=idle, aggregate=how_many, policy=few
)
