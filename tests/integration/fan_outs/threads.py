"""Fan-outs of sync functions, some of which hang."""

import time
from datetime import timedelta

from pydantic import BaseModel
from restate.extensions import current_context

from parallelizework import CompletionReason, Done, Failure, FanOut, Policy

from .ledger import Ledger, repairs, until_repaired
from .values import itself, numbers
from .waiting import Item


class Hangs(BaseModel):
    """A task of `hung` subtasks that hang until a repair, and of `free` others."""

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
    Ledger(f"{item.key}-began").enter()
    while item.waits and not repairs(item.key):
        time.sleep(0.05)
    return item.number


async def hanging_async(item: Item) -> int:
    if item.waits:
        await until_repaired(item.key)
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


def answered(
    values: list[int], _failures: list[Failure[int]], reason: CompletionReason
) -> Outcomes:
    return Outcomes(values=list(values), statuses=[], messages=set(), reason=reason)


partly_known = FanOut(
    "PartlyKnown", split=every_third_done, execute=itself, aggregate=answered
)


def invocation(_number: int) -> str:
    context = current_context()
    return context.request().id if context else "no invocation"


def invocations(values: list[str]) -> list[str]:
    return values


whose = FanOut(
    "Whose",
    split=numbers,
    execute=invocation,
    aggregate=invocations,
    policy=Policy(max_items_per_batch=100),
)
