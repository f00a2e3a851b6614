"""Fan-outs that show how many subtasks execute at a time, and where."""

import asyncio
import logging
import os
import threading
import time

from pydantic import BaseModel

from parallelizework import FanOut, Policy

from .ledger import Ledger
from .values import added, numbers

_logger = logging.getLogger(__name__)


def each(task: list[float]) -> list[float]:
    return task


async def slowly(seconds: float) -> float:
    _logger.info("slow subtask starts")
    await asyncio.sleep(seconds)
    _logger.info("slow subtask ends")
    return seconds


def gathered(values: list[float]) -> list[float]:
    return values


slow = FanOut("Slow", split=each, execute=slowly, aggregate=gathered)


class Visit(BaseModel):
    """A subtask: one visitor of the crowd of a run.

    Attributes:
        count: How many visitors there are in this shard.
        all: How many there are.
    """

    run: str
    count: int
    all: int


class Crowding(BaseModel):
    """A task with the number of visitors of each shard."""

    run: str
    counts: list[int]


def crowding_shards(task: Crowding) -> list[Visit]:
    all_ = sum(task.counts)
    return [Visit(run=task.run, count=count, all=all_) for count in task.counts]


def visits(visit: Visit) -> list[Visit]:
    return [visit] * visit.count


def crowding(task: Crowding) -> list[Visit]:
    return [visit for shard in crowding_shards(task) for visit in visits(shard)]


async def process(visit: Visit) -> int:
    """Wait until all visitors have begun in any process; return this process id."""
    Ledger(visit.run).enter()
    while Ledger(visit.run).size < visit.all:  # noqa: ASYNC110 - of other processes
        await asyncio.sleep(0.2)
    return os.getpid()


def different(values: list[int]) -> list[int]:
    return sorted(set(values))


processes = FanOut(
    "Processes",
    split=crowding,
    execute=process,
    aggregate=different,
    policy=Policy(max_concurrency=400),
)


class Span(BaseModel):
    """When and where a subtask was executing; the clock is the machine's."""

    start: int
    end: int
    process: int


async def paced_work(_number: int) -> Span:
    start = time.monotonic_ns()
    await asyncio.sleep(0.05)
    return Span(start=start, end=time.monotonic_ns(), process=os.getpid())


class Crowd:
    """Subtasks of which one ends only while `size` execute, or once most have begun."""

    def __init__(self, size: int, all_: int) -> None:
        self._size = size
        self._to_wait = all_ - 2 * size
        self._present = self._came = 0
        self._changed = asyncio.Condition()

    async def visit(self) -> None:
        async with self._changed:
            self._present += 1
            self._came += 1
            self._changed.notify_all()
            await self._changed.wait_for(
                lambda: self._present >= self._size or self._came > self._to_wait
            )
            self._present -= 1


crowds: dict[str, Crowd] = {}


async def steady_work(visit: Visit) -> int:
    await crowds.setdefault(visit.run, Crowd(45, visit.all)).visit()
    return 1


hundred = threading.Barrier(100)


def blocking_work(_number: int) -> int:
    hundred.wait()
    return 1


def spans(values: list[Span]) -> list[Span]:
    return values


fifty = Policy(max_concurrency=50)
paced = FanOut(
    "Paced", split=numbers, execute=paced_work, aggregate=spans, policy=fifty
)
paced_batch = FanOut(
    "PacedBatch",
    split=numbers,
    execute=paced_work,
    aggregate=spans,
    policy=Policy(max_items_per_batch=20, max_concurrency=50),
)
steady = FanOut(
    "Steady", split=crowding, execute=steady_work, aggregate=added, policy=fifty
)
steady_sharded = FanOut(
    "SteadySharded",
    split=crowding_shards,
    expand=visits,
    execute=steady_work,
    aggregate=added,
    policy=fifty,
)
blocking = FanOut(
    "Blocking",
    split=numbers,
    execute=blocking_work,
    aggregate=added,
    policy=Policy(max_concurrency=100),
)
