"""The number of subtasks that execute at once if coordinators lease batches."""

import asyncio

from parallelizework import FanOut, Policy
from parallelizework.coordination.planning.partition import partition
from parallelizework.policy import WINDOW
from parallelizework.testing import run_inline

BATCH = 17


def split(count: int) -> list[int]:
    return list(range(count))


def total(values: list[int]) -> int:
    return sum(values)


def test_slots_that_were_returned_are_leased_once() -> None:
    """The shards at the end of a slice become free in parts, one after the other."""
    slots, executing, most = 8, 0, 0
    first, second, *_ = partition(100, slots, wide=True, segment=WINDOW).sizes
    ends = (first, first + second)

    def expand(shard: int) -> list[float]:
        if shard in [end - 2 for end in ends]:
            return [1.0] * BATCH + [10.0] * (2 * BATCH)
        if shard in [end - 1 for end in ends]:
            return [100.0] * (slots * BATCH)
        return [100.0] * BATCH if shard == ends[-1] else []

    async def execute(seconds: float) -> int:
        nonlocal executing, most
        executing += 1
        most = max(most, executing)
        await asyncio.sleep(seconds)
        executing -= 1
        return 1

    policy = Policy(max_concurrency=slots * BATCH, max_items_per_batch=BATCH)
    fan_out = FanOut(
        "Shards",
        split=split,
        expand=expand,
        execute=execute,
        combine=total,
        aggregate=total,
        policy=policy,
    )

    assert run_inline(fan_out, 100).result == (3 + slots + 3 + slots + 1) * BATCH
    assert most == slots * BATCH


def test_a_slow_batch_of_one_shard_does_not_slow_down_another_shard() -> None:
    ended: list[float] = []

    def expand(shard: int) -> list[tuple[int, float]]:
        slow = [(0, 1.0)] * 100 + [(0, 1_000.0)] * 100
        return [(1, 10.0)] * 1_000 if shard else slow

    async def execute(subtask: tuple[int, float]) -> int:
        shard, seconds = subtask
        await asyncio.sleep(seconds)
        if shard:
            ended.append(asyncio.get_running_loop().time())
        return 1

    policy = Policy(max_concurrency=400, max_items_per_batch=100)
    fan_out = FanOut(
        "Two",
        split=split,
        expand=expand,
        execute=execute,
        aggregate=total,
        policy=policy,
    )

    assert run_inline(fan_out, 2).result == 1_200
    assert (
        round(max(ended) - min(ended)) == 30
    )  # ten batches of 10 s, two or three wide
