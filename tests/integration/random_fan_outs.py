"""The fan-outs of the random tests. The caller provides their `execute` functions.

A task has one letter for each subtask: its fate, which determines its outcome. The
value of a subtask is a list of its index, so that values can be combined.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from parallelizework import CompletionReason, Done, Failure, FanOut, Policy

SLOW = 0.1  # seconds
EXECUTOR = "RandomElsewhere"
_SOON = timedelta(milliseconds=5)
_POLICY = Policy(max_attempts=3, initial_retry_interval=_SOON, max_retry_interval=_SOON)


class Task(BaseModel):
    """A run of a random test.

    Attributes:
        key: The name of the ledger of the run.
        fates: A letter for each subtask. "o" succeeds. "f" always fails. A digit is the
            number of attempts that fail before one succeeds. "s" is slow. "h" hangs.
            "d" has a known value.
        shards: The number of subtasks of each shard, if the fan-out has shards.
    """

    key: str = ""
    fates: str
    shards: list[int] = []
    policy: Policy = Policy()


class Shard(BaseModel):
    key: str
    first: int
    fates: str


class Subtask(BaseModel):
    key: str
    index: int
    fate: str


class Report(BaseModel):
    """The arguments of `aggregate`; a failure is index, status, code and attempts."""

    values: list[int]
    failures: list[tuple[int, str, int, int | None]]
    reason: CompletionReason


def _subtasks(key: str, first: int, fates: str) -> Iterator[Subtask | Done[list[int]]]:
    for index, fate in enumerate(fates, first):
        if fate == "d":
            yield Done([index])
        else:
            yield Subtask(key=key, index=index, fate=fate)


def split(task: Task) -> Iterator[Subtask | Done[list[int]]]:
    return _subtasks(task.key, 0, task.fates)


def split_into_shards(task: Task) -> Iterator[Shard]:
    first = 0
    for size in task.shards:
        yield Shard(key=task.key, first=first, fates=task.fates[first : first + size])
        first += size


def expand(shard: Shard) -> Iterator[Subtask | Done[list[int]]]:
    return _subtasks(shard.key, shard.first, shard.fates)


def combine(values: list[list[int]]) -> list[int]:
    return [index for value in values for index in value]


def aggregate(
    values: list[list[int]],
    failures: list[Failure[Subtask]],
    reason: CompletionReason,
) -> Report:
    found = [(f.subtask.index, f.status, f.code, f.attempts) for f in failures]
    return Report(values=combine(values), failures=found, reason=reason)


def fan_outs(
    asynchronous: Callable[..., Any],
    synchronous: Callable[..., Any],
    durable: Callable[..., Any],
) -> list[FanOut[Any, Any, Any, Any]]:
    """Return a fan-out for each service of `random_cases.KINDS`, in the same order.

    Args:
        asynchronous, synchronous, durable: Three forms of `execute`.
    """
    plain: dict[str, Any] = {"split": split, "aggregate": aggregate, "policy": _POLICY}
    sharded: dict[str, Any] = plain | {"split": split_into_shards, "expand": expand}
    combined: dict[str, Any] = {"execute": asynchronous, "combine": combine}
    return [
        FanOut("RandomAsync", execute=asynchronous, **plain),
        FanOut("RandomSync", execute=synchronous, **plain),
        FanOut("RandomCode", execute=durable, **plain),
        FanOut("RandomExecutor", executor=EXECUTOR, **plain),
        FanOut("RandomCombined", **combined, **plain),
        FanOut("RandomSharded", execute=asynchronous, **sharded),
        FanOut("RandomShardedCombined", **combined, **sharded),
        FanOut("RandomShardedCode", execute=durable, **sharded),
        FanOut("RandomShardedExecutor", executor=EXECUTOR, **sharded),
    ]
