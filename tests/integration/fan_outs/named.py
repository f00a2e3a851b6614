"""Fan-outs whose subtasks have names, and each of them another fate."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel
from restate import Context, TerminalError
from restate.exceptions import RetryableError

from parallelizework import Executor, FanOut, Policy

from .ledger import repairs, until_repaired
from .values import unchanged

Fate = Literal["succeeds", "fails", "waits", "retries", "pauses"]


class Fates(BaseModel):
    """A task of one subtask for each fate."""

    key: str
    fates: list[Fate]


class Fated(BaseModel):
    key: str
    fate: Fate
    number: int


def fated(task: Fates) -> list[Fated]:
    return [
        Fated(key=task.key, fate=fate, number=number)
        for number, fate in enumerate(task.fates)
    ]


def name_of(subtask: Fated) -> str:
    return f"№ {subtask.number} index=7, which {subtask.fate}"


async def fulfill(subtask: Fated) -> int:
    match subtask.fate:
        case "fails":
            raise TerminalError("as its fate says", 422)
        case "waits":
            await until_repaired(subtask.key)
        case "retries" if not repairs(subtask.key):
            message = "come back"
            raise RetryableError(message, 503, retry_after=timedelta(hours=1))
        case "pauses" if not repairs(subtask.key):
            raise OSError("broken")
        case _:
            pass
    return subtask.number


async def fulfill_in_handler_code(ctx: Context, subtask: Fated) -> int:
    return await fulfill(subtask)


def shards(task: Fates) -> list[Fates]:
    return [task, task]


ANY_FAILURES = Policy(tolerated_failure_percentage=100)
PAUSING = Policy(tolerated_failure_percentage=100, max_attempts=2, on_exhausted="pause")

named = FanOut(
    "Named",
    split=fated,
    execute=fulfill,
    aggregate=unchanged,
    name_of=name_of,
    policy=ANY_FAILURES,
)
named_pausing = FanOut(
    "NamedPausing",
    split=fated,
    execute=fulfill,
    aggregate=unchanged,
    name_of=name_of,
    policy=PAUSING,
)
named_handler_code = FanOut(
    "NamedHandlerCode",
    split=fated,
    execute=fulfill_in_handler_code,
    aggregate=unchanged,
    name_of=name_of,
    policy=ANY_FAILURES,
)
named_shards = FanOut(
    "NamedShards",
    split=shards,
    expand=fated,
    execute=fulfill,
    aggregate=unchanged,
    name_of=name_of,
    policy=ANY_FAILURES,
)
fulfiller = Executor("Fulfiller", execute=fulfill)
named_batches = FanOut(
    "NamedBatches",
    split=fated,
    executor="Fulfiller",
    aggregate=unchanged,
    name_of=name_of,
    policy=Policy(tolerated_failure_percentage=100, max_items_per_batch=2),
)


async def call_named(ctx: Context, fates: Fates) -> list[int]:
    return await named.call(ctx, fates)


def unchanged_lists(values: list[list[int]]) -> list[list[int]]:
    return values


named_calling = FanOut(
    "NamedCalling", split=shards, execute=call_named, aggregate=unchanged_lists
)
