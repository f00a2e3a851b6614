"""The cost of a sync function: a switch to a thread and back, alone and in a batch.

    python -m benchmarks.hops

Sync and async runs alternate, so that both have the same conditions. Only the ratio of
both is meaningful.
"""

import asyncio
import statistics
import time

import httpx

from benchmarks.fan_outs import nothing, nothing_in_a_thread
from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.local.dev import local
from parallelizework.local.ports import Ports

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
    targets = [f"{__package__}.fan_outs:{name}" for name in ("batched", "batched_sync")]
    with local(targets, ports=Ports(0, 0, 0)) as started:
        seconds = alternating(started.ingress)
    asynchronous, synchronous = (statistics.median(seconds[name]) for name in NAMES)
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


def alternating(ingress: str) -> dict[str, list[float]]:
    """Return the seconds of each run, by fan-out."""
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    for count in (1_000, *[COUNT] * ROUNDS):
        for name in NAMES:
            start = time.perf_counter()
            answer = httpx.post(f"{ingress}/{name}/run", json=count, timeout=600)
            answer.raise_for_status()
            seconds[name].append(time.perf_counter() - start)
    return {name: each[1:] for name, each in seconds.items()}


if __name__ == "__main__":
    main()
