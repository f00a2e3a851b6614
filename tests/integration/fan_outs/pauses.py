"""Fan-outs that pause for manual repair, and subtasks that are postponed."""

from datetime import timedelta

from pydantic import BaseModel
from restate.exceptions import RetryableError

from parallelizework import Attempt, FanOut, Policy, Postponed

from .attempts import numbers_of_attempts, parts
from .ledger import Keyed, Ledger, repairs
from .values import added, as_they_come


def broken_at_b(part: Keyed) -> int:
    entries = Ledger(part.key).enter()
    if part.key.endswith("-b") and not repairs(part.key):
        raise OSError("broken")
    return entries


pausing = FanOut(
    "Pausing",
    split=parts,
    execute=broken_at_b,
    aggregate=as_they_come,
    policy=Policy(max_attempts=2, on_exhausted="pause"),
)


def counted(part: Keyed) -> int:
    return Ledger(part.key).enter()


def broken(values: list[int], task: Keyed) -> list[int]:
    if not repairs(task.key):
        raise OSError("the sheet is read-only")
    return values


aggregate_pausing = FanOut(
    "AggregatePausing",
    split=parts,
    execute=counted,
    aggregate=broken,
    policy=Policy(max_attempts=2, on_exhausted="pause"),
)


def put_off(part: Keyed) -> int:
    if not repairs(part.key):
        raise RetryableError("come back", 503, retry_after=timedelta(hours=1))
    return 1


put_off_long = FanOut("PutOffLong", split=parts, execute=put_off, aggregate=added)


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
    aggregate=numbers_of_attempts,
    policy=Policy(max_attempts=2, max_retry_interval=timedelta(seconds=0.1)),
)
