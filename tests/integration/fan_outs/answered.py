"""Fan-outs whose subtasks wait for an answer from outside."""

import asyncio
from datetime import timedelta
from itertools import pairwise

from pydantic import BaseModel
from restate import Context, Service, TerminalError
from restate.exceptions import RetryableError

from parallelizework import (
    Attempt,
    Event,
    Executor,
    FanOut,
    Policy,
    Reminder,
    Waiting,
)
from parallelizework.waiting.models import MAILBOX, Delivery

from .ledger import Lines
from .values import flat

LINES = Lines("answered")


class Task(BaseModel):
    """Subtasks that wait for an answer.

    Attributes:
        key: The name of the ledger.
        count: The number of subtasks.
        ready: The subtasks that do not wait.
        failing: The subtasks that fail, without waiting.
        within: How long a subtask waits, in seconds.
        remind_every: The pause between two reminders, in seconds.
        reminders: The largest number of reminders.
        remind: What `remind` does: nothing else, fail, retry once, retry late or hang.
        event: The first part of the keys of the events to wait for, if any.
        pause: How long a subtask executes before it waits, in seconds.
    """

    key: str
    count: int
    ready: list[int] = []
    failing: list[int] = []
    within: float = 3_600
    remind_every: float | None = None
    reminders: int | None = None
    remind: str = ""
    event: str | None = None
    pause: float = 0
    policy: Policy = Policy()


class Subtask(BaseModel):
    task: Task
    number: int


class Shard(BaseModel):
    task: Task
    first: int
    end: int


def split(task: Task) -> list[Subtask]:
    return [Subtask(task=task, number=number) for number in range(task.count)]


def shards(task: Task) -> list[Shard]:
    ends = [task.count * n // 5 for n in range(6)]
    return [Shard(task=task, first=first, end=end) for first, end in pairwise(ends)]


def expand(shard: Shard) -> list[Subtask]:
    return split(shard.task)[shard.first : shard.end]


async def execute(subtask: Subtask, attempt: Attempt) -> list[int] | Waiting[list[int]]:
    task, number = subtask.task, subtask.number
    LINES.record(task.key, f"executed {number} {attempt.key}")
    await asyncio.sleep(task.pause)
    if number in task.failing:
        raise TerminalError("as the task says", 418)
    if number in task.ready:
        return [number]
    every = task.remind_every
    return Waiting(
        within=timedelta(seconds=task.within),
        key=f"{task.event}/{number}" if task.event else None,
        remind_every=None if every is None else timedelta(seconds=every),
        reminders=task.reminders,
    )


async def remind(subtask: Subtask, reminder: Reminder) -> None:
    task, number = subtask.task, reminder.number
    line = f"reminded {subtask.number} {number} {reminder.is_last}"
    is_first = line not in LINES.of(task.key)
    LINES.record(task.key, line)
    if task.remind == "hang":
        await asyncio.sleep(8)
    if task.remind == "fail":
        raise TerminalError("nobody is there", 418)
    if task.remind == "late":
        raise RetryableError("nobody is there today", retry_after=timedelta(days=1))
    if task.remind == "retry" and is_first:
        raise RetryableError("nobody is there yet", retry_after=timedelta(0))


def receive(subtask: Subtask, event: Event) -> list[int]:
    LINES.record(subtask.task.key, f"received {subtask.number} {event.id}")
    if event.data == "declined":
        raise TerminalError("declined", 402)
    return [int(event.data)]


answered = FanOut(
    "Answered",
    split=split,
    execute=execute,
    remind=remind,
    receive=receive,
    aggregate=flat,
)
answered_sharded = FanOut(
    "AnsweredSharded",
    split=shards,
    expand=expand,
    execute=execute,
    remind=remind,
    receive=receive,
    aggregate=flat,
)
answered_combined = FanOut(
    "AnsweredCombined",
    split=split,
    execute=execute,
    remind=remind,
    receive=receive,
    combine=flat,
    aggregate=flat,
)
answered_executor = FanOut(
    "AnsweredExecutor", split=split, executor="AnsweredElsewhere", aggregate=flat
)
answered_elsewhere = Executor(
    "AnsweredElsewhere", execute=execute, remind=remind, receive=receive
)
answered_without_receive = FanOut(
    "AnsweredByData", split=split, execute=execute, aggregate=flat
)
answered_ledger = LINES.fan_out("AnsweredLedger")


class Delivered(BaseModel):
    """An event for a key of the mailbox."""

    key: str
    event: Delivery


deliverer = Service("Deliverer")


@deliverer.handler()
async def deliver(ctx: Context, delivered: Delivered) -> None:
    body = delivered.event.model_dump_json().encode()
    ctx.generic_send(MAILBOX, "deliver", body, key=delivered.key)
