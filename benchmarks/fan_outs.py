"""The fan-outs of the benchmarks. Their subtasks do nothing or wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from parallelizework import FanOut, Policy, Waiting

SHARD = 1_000
SLOTS = 40  # of `slots`
LATE = [2.5, 4.0, 5.5, 7.0]  # the seconds of the late subtasks of `late`

Span = tuple[int, int]  # start and end, in nanoseconds since 1970


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


async def span(_number: int) -> Span:
    """Do nothing, and return the start and the end."""
    return time.time_ns(), time.time_ns()


async def span_of_100_ms(_number: int) -> Span:
    """Wait, and return the start and the end."""
    start = time.time_ns()
    await asyncio.sleep(0.1)
    return start, time.time_ns()


async def nothing_or_wait(number: int) -> int | Waiting[int]:
    """Do nothing. The hint says that a subtask may wait."""
    return number


async def wait_for_an_answer(_number: int) -> int | Waiting[int]:
    """Wait for an answer from outside."""
    return Waiting(within=timedelta(hours=1))


def first_and_last(spans: list[Span]) -> Span:
    """Return the start of the first subtask and the end of the last one."""
    return min(start for start, _ in spans), max(end for _, end in spans)


def occupancy(spans: list[Span]) -> float:
    """Return the average number of subtasks that executed at once."""
    busy = sum(end - start for start, end in spans)
    first, last = first_and_last(spans)
    return busy / (last - first)


def delays(count: int) -> list[float]:
    """Return `count` delays in seconds, of which the last ones are long."""
    return [0.0] * (count - len(LATE)) + LATE


async def wait(delay: float) -> int:
    """Wait, and return the end in nanoseconds."""
    await asyncio.sleep(delay)
    return time.time_ns()


def late_ends(ends: list[int]) -> list[int]:
    """Return the ends of the late subtasks."""
    return ends[-len(LATE) :]


def total(values: list[int]) -> int:
    """Return the sum, to check that no value is lost or counted twice."""
    return sum(values)


def summed(
    name: str,
    execute: Callable[[int], int] | Callable[[int], Awaitable[int | Waiting[int]]],
    **policy: Any,
) -> FanOut[int, int, int, int]:
    """Return a fan-out over numbers whose result is the sum of its values."""
    return FanOut(
        name,
        split=numbers,
        execute=execute,
        aggregate=total,
        policy=Policy(**policy),
    )


plain = summed("Plain", nothing)
bare = summed("Bare", nothing, redrivable_for=timedelta(0))
streamed = summed("Streamed", nothing, stream=True)
may_wait = summed("MayWait", nothing_or_wait)
answered = summed("Answered", wait_for_an_answer)
batched = summed("Batched", nothing, max_items_per_batch=64)
batched_sync = summed("BatchedSync", nothing_in_a_thread, max_items_per_batch=64)
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
sleeping = summed("Sleeping", wait_a_second, max_concurrency=1_000)
timed = FanOut("Timed", split=numbers, execute=span, aggregate=first_and_last)
slots = FanOut(
    "Slots",
    split=numbers,
    execute=span_of_100_ms,
    aggregate=occupancy,
    policy=Policy(max_concurrency=SLOTS),
)
auto_slots = FanOut(
    "AutoSlots",
    split=numbers,
    execute=span_of_100_ms,
    aggregate=occupancy,
    policy=Policy(max_concurrency=SLOTS, max_items_per_batch="auto"),
)
late = FanOut("Late", split=delays, execute=wait, aggregate=late_ends)
auto = summed("Auto", nothing, max_items_per_batch="auto")
seconds = summed("Seconds", wait_a_second, max_concurrency=64)
auto_seconds = summed(
    "AutoSeconds", wait_a_second, max_items_per_batch="auto", max_concurrency=64
)
