"""Fan-outs for the integration tests whose subtasks are postponed."""

from datetime import timedelta

from fan_outs import Ledger
from pydantic import BaseModel

from parallelizework import Attempt, FanOut, Policy, Postponed


class Quota(BaseModel):
    """Subtasks that are postponed so many times each, within so many seconds."""

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


def numbers_of_attempts(numbers: list[int | None]) -> list[int | None]:
    return numbers


postponing = FanOut(
    "Postponing",
    split=limited,
    execute=within_the_quota,
    aggregate=numbers_of_attempts,
    policy=Policy(max_attempts=2, max_retry_interval=timedelta(seconds=0.1)),
)
