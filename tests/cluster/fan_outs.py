"""The fan-outs of the workers of a cluster."""

import asyncio
from pathlib import Path

from pydantic import BaseModel

from parallelizework import FanOut


class Job(BaseModel):
    """Return `count` numbers; the second half waits while a file exists."""

    count: int
    held_by: Path | None = None


class Number(BaseModel):
    number: int
    held_by: Path | None


def numbers(job: Job) -> list[Number]:
    free = job.count // 2
    return [
        Number(number=number, held_by=job.held_by if number >= free else None)
        for number in range(job.count)
    ]


async def square(item: Number) -> int:
    await asyncio.sleep(0.05)
    while item.held_by and item.held_by.exists():  # noqa: ASYNC110 - by a test
        await asyncio.sleep(0.1)
    return item.number**2


def listed(squares: list[int]) -> list[int]:
    return squares


squares = FanOut("Squares", split=numbers, execute=square, aggregate=listed)
