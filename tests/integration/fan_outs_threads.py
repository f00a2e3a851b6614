"""Fan-outs of sync functions: some that hang, some that share a thread.

It is served as a file, so it imports nothing of its folder.
"""

import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel
from restate.extensions import current_context

from parallelizework import CompletionReason, Done, Failure, FanOut, Policy


def ledger(key: str, what: str) -> Path:
    """The file of the `Ledger` of that name in `fan_outs.py`."""
    return Path(tempfile.gettempdir()) / f"parallelizework-{key}-{what}"


class Item(BaseModel):
    key: str
    number: int
    waits: bool


class Hangs(BaseModel):
    """So many subtasks that hang until the key is mended, and so many that do not."""

    key: str
    hung: int = 0
    free: int = 0
    policy: Policy = Policy()


def hung_and_free(task: Hangs) -> list[Item]:
    return [
        Item(key=task.key, number=number, waits=number < task.hung)
        for number in range(task.hung + task.free)
    ]


def hanging(item: Item) -> int:
    with ledger(item.key, "began").open("a") as began:
        began.write(".")
    while item.waits and not ledger(item.key, "mended").exists():
        time.sleep(0.05)
    return item.number


async def hanging_async(item: Item) -> int:
    while item.waits and not ledger(item.key, "mended").exists():  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return item.number


class Outcomes(BaseModel):
    values: list[int | str]
    statuses: list[str]
    messages: set[str]
    reason: CompletionReason


def outcomes(
    values: list[int], failures: list[Failure[Item]], reason: CompletionReason
) -> Outcomes:
    return Outcomes(
        values=list(values),
        statuses=[failure.status for failure in failures],
        messages={failure.message for failure in failures},
        reason=reason,
    )


# A third attempt is the last: 15 abandoned threads are within what 4 may leave behind.
SOON = Policy(
    attempt_timeout=timedelta(seconds=0.3),
    max_attempts=3,
    max_retry_interval=timedelta(seconds=0.1),
    tolerated_failure_percentage=100,
)
hung = FanOut(
    "Hung",
    split=hung_and_free,
    execute=hanging,
    aggregate=outcomes,
    policy=SOON,
    max_threads=4,
)
hung_for_ever = FanOut(
    "HungForEver",
    split=hung_and_free,
    execute=hanging,
    aggregate=outcomes,
    policy=SOON,
    max_threads=1,
)
hung_async = FanOut(
    "HungAsync",
    split=hung_and_free,
    execute=hanging_async,
    aggregate=outcomes,
    policy=Policy(tolerated_failure_percentage=100),
)


class Known(BaseModel):
    """Subtasks of which every third is done already."""

    count: int
    policy: Policy = Policy()


def every_third_done(task: Known) -> list[int | Done[int]]:
    return [number if number % 3 else Done(number) for number in range(task.count)]


def same(number: int) -> int:
    return number


def answered(
    values: list[int], _failures: list[Failure[int]], reason: CompletionReason
) -> Outcomes:
    return Outcomes(values=list(values), statuses=[], messages=set(), reason=reason)


partly_known = FanOut(
    "PartlyKnown", split=every_third_done, execute=same, aggregate=answered
)


def numbers(count: int) -> list[int]:
    return list(range(count))


def invocation(_number: int) -> str:
    context = current_context()
    return context.request().id if context else "nobody's"


def as_they_come(values: list[str]) -> list[str]:
    return values


whose = FanOut(
    "Whose",
    split=numbers,
    execute=invocation,
    aggregate=as_they_come,
    policy=Policy(max_items_per_batch=100),
)
