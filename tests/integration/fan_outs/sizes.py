"""Fan-outs with tasks, subtasks, values, and results of many MiB."""

from pydantic import BaseModel

from parallelizework import FanOut, Policy

from .values import numbers


class Sizes(BaseModel):
    """How large to make each part of a run, in MiB."""

    count: int = 1
    split: float = 0
    value: float = 0
    result: float = 0


class Sized(BaseModel):
    value: float
    result: float
    filler: str


def mebibytes(size: float) -> str:
    return "x" * int(size * 2**20)


def sized(task: Sizes) -> list[Sized]:
    filler = mebibytes(task.split / task.count)
    return [Sized(value=task.value, result=task.result, filler=filler)] * task.count


def filled(item: Sized) -> Sized:
    return Sized(value=0, result=item.result, filler=mebibytes(item.value))


def largest(values: list[Sized]) -> Sized:
    return max(values, key=lambda value: len(value.filler))


def result_of(values: list[Sized]) -> str:
    return mebibytes(values[0].result) or str(sum(len(v.filler) for v in values))


sizes = FanOut("Sizes", split=sized, execute=filled, aggregate=result_of)
sizes_batched = FanOut(
    "SizesBatched",
    split=sized,
    execute=filled,
    aggregate=result_of,
    policy=Policy(max_items_per_batch=2),
)


def one_shard(task: Sizes) -> list[Sizes]:
    return [task]


sizes_sharded = FanOut(
    "SizesSharded", split=one_shard, expand=sized, execute=filled, aggregate=result_of
)
sizes_combined = FanOut(
    "SizesCombined", split=sized, execute=filled, combine=largest, aggregate=result_of
)


def joined_texts(values: list[str]) -> str:
    return "".join(values)


def lengths(values: list[str]) -> list[int]:
    return [len(value) for value in values]


def long_text(_number: int) -> str:
    return mebibytes(1)


sizes_joined = FanOut(
    "SizesJoined",
    split=numbers,
    execute=long_text,
    combine=joined_texts,
    aggregate=lengths,
)
