"""The fan-outs of the benchmarks. Their subtasks do nothing or wait."""

import asyncio
import time

from parallelizework import FanOut, Policy

SHARD = 1_000


def numbers(count: int) -> list[int]:
    """Return `count` subtasks."""
    return list(range(count))


def shards(count: int) -> list[tuple[int, int]]:
    """Return ranges of a thousand numbers."""
    return [(start, min(start + SHARD, count)) for start in range(0, count, SHARD)]


def numbers_of(shard: tuple[int, int]) -> list[int]:
    """Return the numbers of a range."""
    return list(range(*shard))


async def nothing(number: int) -> int:
    """Do nothing: the benchmark measures only the cost of the fan-out."""
    return number


def nothing_in_a_thread(number: int) -> int:
    """Do nothing, as a sync function."""
    return number


async def wait_a_second(number: int) -> int:
    """Wait for a second."""
    await asyncio.sleep(1)
    return number


async def for_50_ms(_number: int) -> tuple[int, int]:
    """Wait, and return the start and the end in nanoseconds of the machine's clock."""
    start = time.monotonic_ns()
    await asyncio.sleep(0.05)
    return start, time.monotonic_ns()


async def for_500_ms(_number: int) -> tuple[int, int]:
    """Wait, and return the start and the end in nanoseconds of the machine's clock."""
    start = time.monotonic_ns()
    await asyncio.sleep(0.5)
    return start, time.monotonic_ns()


def occupancy(spans: list[tuple[int, int]]) -> float:
    """Return the average number of subtasks that executed at once."""
    busy = sum(end - start for start, end in spans)
    return busy / (max(end for _, end in spans) - min(start for start, _ in spans))


def total(values: list[int]) -> int:
    """Return the sum, to check that no value is lost or counted twice."""
    return sum(values)


plain = FanOut("Plain", split=numbers, execute=nothing, aggregate=total)
batched = FanOut(
    "Batched",
    split=numbers,
    execute=nothing,
    aggregate=total,
    policy=Policy(max_items_per_batch=64),
)
batched_sync = FanOut(
    "BatchedSync",
    split=numbers,
    execute=nothing_in_a_thread,
    aggregate=total,
    policy=Policy(max_items_per_batch=64),
)
sharded = FanOut(
    "Sharded",
    split=shards,
    expand=numbers_of,
    execute=nothing,
    combine=total,
    aggregate=total,
)
sharded_batched = FanOut(
    "ShardedBatched",
    split=shards,
    expand=numbers_of,
    execute=nothing,
    combine=total,
    aggregate=total,
    policy=Policy(max_items_per_batch=64),
)
sleeping = FanOut(
    "Sleeping",
    split=numbers,
    execute=wait_a_second,
    aggregate=total,
    policy=Policy(max_concurrency=1_000),
)
fifty = Policy(max_concurrency=50)
short = FanOut(
    "Short", split=numbers, execute=for_50_ms, aggregate=occupancy, policy=fifty
)
long = FanOut(
    "Long", split=numbers, execute=for_500_ms, aggregate=occupancy, policy=fifty
)
