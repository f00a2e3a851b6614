"""Fan-outs that pause for manual repair, and subtasks that are postponed."""

from datetime import timedelta

from pydantic import BaseModel
from restate.exceptions import RetryableError

from parallelizework import Attempt, FanOut, Policy, Postponed

from .attempts import subtasks, unchanged_numbers
from .ledger import Keyed, Ledger, repairs
from .values import added, unchanged


def broken_at_b(subtask: Keyed) -> int:
    entries = Ledger(subtask.key).enter()
    if subtask.key.endswith("-b") and not repairs(subtask.key):
        raise OSError("broken")
    return entries


pausing = FanOut(
    "Pausing",
    split=subtasks,
    execute=broken_at_b,
    aggregate=unchanged,
    policy=Policy(max_attempts=2, on_exhausted="pause"),
)


def counted(subtask: Keyed) -> int:
    return Ledger(subtask.key).enter()


def broken(values: list[int], task: Keyed) -> list[int]:
    if not repairs(task.key):
        raise OSError("the sheet is read-only")
    return values


aggregate_pausing = FanOut(
    "AggregatePausing",
    split=subtasks,
    execute=counted,
    aggregate=broken,
    policy=Policy(max_attempts=2, on_exhausted="pause"),
)


def retry_in_an_hour(subtask: Keyed) -> int:
    if not repairs(subtask.key):
        raise RetryableError("come back", 503, retry_after=timedelta(hours=1))
    return 1


retried_in_an_hour = FanOut(
    "RetriedInAnHour", split=subtasks, execute=retry_in_an_hour, aggregate=added
)


class Quota(BaseModel):
    """A task of three subtasks that are postponed `times` times each."""

    key: str
    times: int
    within: float
    policy: Policy = Policy()


class Limited(BaseModel):
    key: str
    times: int
    within: float


def limited(task: Quota) -> list[Limited]:
    return [
        Limited(key=f"{task.key}-{index}", times=task.times, within=task.within)
        for index in range(3)
    ]


async def within_the_quota(subtask: Limited, attempt: Attempt) -> int | None:
    if Ledger(subtask.key).enter() <= subtask.times:
        raise Postponed(
            "busy",
            retry_after=timedelta(seconds=0.1),
            within=timedelta(seconds=subtask.within),
        )
    return attempt.number


postponing = FanOut(
    "Postponing",
    split=limited,
    execute=within_the_quota,
    aggregate=unchanged_numbers,
    policy=Policy(max_attempts=2, max_retry_interval=timedelta(seconds=0.1)),
)
