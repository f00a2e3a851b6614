"""Fan-outs whose ends are notified, and a `FanOutNotify` with short pauses."""

import os
from datetime import timedelta

from pydantic import BaseModel
from restate import Service, TerminalError

from parallelizework import FanOut, Policy
from parallelizework.notifications import Email, Notifications
from tests.integration.fan_outs.ledger import until_repaired


class Task(BaseModel):
    """Subtasks that wait until the key is repaired; the negative ones fail.

    Attributes:
        key: The name of the ledger; empty for no wait.
        numbers: The subtasks.
        size: The size of the result, in characters.
    """

    key: str = ""
    numbers: list[int]
    size: int = 0
    policy: Policy = Policy()


class Subtask(BaseModel):
    key: str
    number: int


class Result(BaseModel):
    total: int
    text: str


def split(task: Task) -> list[Subtask]:
    return [Subtask(key=task.key, number=number) for number in task.numbers]


async def execute(subtask: Subtask) -> int:
    if subtask.key:
        await until_repaired(subtask.key)
    if subtask.number < 0:
        raise TerminalError(f"{subtask.number} is negative", 422)
    return subtask.number


def aggregate(values: list[int], task: Task) -> Result:
    return Result(total=sum(values), text="x" * task.size)


notified = FanOut("Notified", split=split, execute=execute, aggregate=aggregate)
always_notified = FanOut(
    "AlwaysNotified",
    split=split,
    execute=execute,
    aggregate=aggregate,
    notify=Email(os.environ.get("ALWAYS_NOTIFIED", "always@example.com")),
)
notifications = Notifications(
    policy=Policy(max_attempts=6, initial_retry_interval=timedelta(milliseconds=50))
)
plain = Service("Plain")


@plain.handler()
async def run(_ctx: object, text: str) -> str:
    return text
