"""The fan-outs that the tests of client and command line run."""

import asyncio
import tempfile
from pathlib import Path

from pydantic import BaseModel
from restate import TerminalError

from parallelizework import FanOut, Policy


class Loud(BaseModel):
    """So many subtasks, each of which fails with a message of that length."""

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


def how_many(values: list[int]) -> int:
    return len(values)


loud = FanOut("Loud", split=cries, execute=cry, aggregate=how_many)


class Idle(BaseModel):
    """So many subtasks that take their time, until the key is mended."""

    key: str
    count: int


def shards(task: Idle) -> list[Idle]:
    return [Idle(key=task.key, count=20)] * (task.count // 20)


def keys(task: Idle) -> list[str]:
    return [task.key] * task.count


async def idle(key: str) -> int:
    if not (Path(tempfile.gettempdir()) / f"parallelizework-{key}-mended").exists():
        await asyncio.sleep(1.5)
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
