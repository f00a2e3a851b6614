"""The cost of a sync function: a switch to a thread and back, alone and in a batch.

    python -m benchmarks.hops

Sync and async runs alternate, so that both have the same conditions. Only the ratio of
both is meaningful.
"""

import asyncio
import time
from functools import partial

from benchmarks.alternation import alternating
from benchmarks.fan_outs import nothing, nothing_in_a_thread
from benchmarks.measurement import median
from benchmarks.systems import system
from benchmarks.workers import hypercorn
from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads

HOPS = 5_000
COUNT = 20_000
ROUNDS = 5
NAMES = ("Batched", "BatchedSync")


def main() -> None:
    """Measure, and print two tables."""
    print("| one call | microseconds |\n| --- | --: |")
    for name, execute in (("async", nothing), ("sync", nothing_in_a_thread)):
        called = Function("execute", execute, Threads(256))
        print(f"| {name} | {asyncio.run(one_by_one(called)):.0f} |")
    with system(hypercorn()) as started:
        forms = [partial(started.measured, name, COUNT) for name in NAMES]
        alternating(forms, 1)  # warm up
        asynchronous, synchronous = (
            median(rows).seconds for rows in alternating(forms, ROUNDS)
        )
    print(f"\n| {COUNT:,} subtasks in batches of 64 | seconds |\n| --- | --: |")
    print(f"| async | {asynchronous:.2f} |\n| sync | {synchronous:.2f} |")
    print(f"\nsync / async: {synchronous / asynchronous:.2f}")


async def one_by_one(called: Function) -> float:
    """Return the microseconds of a call that waits for the previous call."""
    await called(0)
    start = time.perf_counter()
    for number in range(HOPS):
        await called(number)
    return (time.perf_counter() - start) / HOPS * 1e6


if __name__ == "__main__":
    main()
