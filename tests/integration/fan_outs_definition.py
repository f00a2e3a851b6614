"""Fan-outs for what a user defines: functions and their types, executors, calls."""

import asyncio
import math
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, KeysView, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Json, SecretStr, computed_field
from restate import Context, TerminalError

from parallelizework import CompletionReason, Executor, Failure, FanOut, Policy

T = TypeVar("T")


def entries(key: str, more: str = "") -> int:
    """How long the worker's ledger of that key is, with what is to be added."""
    path = Path(tempfile.gettempdir()) / f"parallelizework-{key}"
    with path.open("a") as ledger:
        ledger.write(more)
        return ledger.tell()


def numbers(count: int) -> list[int]:
    return list(range(count))


def square(number: int) -> int:
    return number * number


def as_they_come(values: list[int]) -> list[int]:
    return values


class Order(BaseModel):
    """So many numbers, of which some fail; and what may be said about it."""

    name: str
    numbers: list[int]
    policy: Policy = Policy()


class Sheet(BaseModel):
    name: str
    squares: dict[int, int | str]
    reason: CompletionReason


def taken_apart(order: Order) -> list[int]:
    taken, order.numbers = order.numbers, []  # its own, not that of `aggregate`
    return taken


def positive(number: int) -> int:
    if number < 0:
        raise TerminalError(f"{number} is negative", 400)
    return number * number


def sheet(
    squares: list[int],
    failures: list[Failure[int]],
    reason: CompletionReason,
    order: Order,
) -> Sheet:
    failed = {failure.subtask: failure.message for failure in failures}
    rest = iter(squares)
    entries = {n: failed[n] if n in failed else next(rest) for n in order.numbers}
    return Sheet(name=order.name, squares=entries, reason=reason)


sheets = FanOut(
    "Sheets",
    split=taken_apart,
    execute=positive,
    aggregate=sheet,
    policy=Policy(tolerated_failure_percentage=100),
)


class Bag(Generic[T]):
    """An iterable of one's own, that is nothing else."""

    def __init__(self, *items: T) -> None:
        self._items = items

    def __iter__(self) -> Iterator[T]:
        yield from self._items


def a_set(_: int) -> set[int]:
    return {1, 2, 3}


def a_frozenset(_: int) -> frozenset[int]:
    return frozenset({1, 2, 3})


async def a_tuple(_: int) -> tuple[int, ...]:
    return (1, 2, 3)


def a_deque(_: int) -> deque[int]:
    return deque([1, 2, 3])


def a_range(_: int) -> Sequence[int]:
    return range(1, 4)


async def keys(_: int) -> KeysView[int]:
    return {1: "a", 2: "b", 3: "c"}.keys()


def a_bag(_: int) -> Bag[int]:
    return Bag(1, 2, 3)


def split_into(name: str, split: Any) -> FanOut[int, int, int, list[int]]:
    return FanOut(name, split=split, execute=square, aggregate=as_they_come)


split_set = split_into("SplitSet", a_set)
split_frozenset = split_into("SplitFrozenset", a_frozenset)
split_tuple = split_into("SplitTuple", a_tuple)
split_deque = split_into("SplitDeque", a_deque)
split_range = split_into("SplitRange", a_range)
split_keys = split_into("SplitKeys", keys)
split_bag = split_into("SplitBag", a_bag)


def shards_of(_: int) -> list[int]:
    return [0]


expand_bag = FanOut(
    "ExpandBag",
    split=shards_of,
    expand=a_bag,
    execute=square,
    aggregate=as_they_come,
)


def forgotten_list(word: str) -> Iterable[str]:
    return word


def length(word: str) -> int:
    return len(word)


split_text = FanOut(
    "SplitText", split=forgotten_list, execute=length, aggregate=as_they_come
)


class Reading(BaseModel):
    """What pydantic writes in another way than it reads."""

    model_config = ConfigDict(extra="forbid")

    celsius: float
    humidity: float | None = None
    meta: Json[dict[str, int]] | None = None

    @computed_field
    @property
    def fahrenheit(self) -> float:
        return self.celsius * 1.8 + 32


class Measured(BaseModel):
    readings: list[Reading]
    is_fine: bool


def readings_of(token: SecretStr) -> list[Reading]:
    assert token.get_secret_value() == "s3cr3t"
    nan = math.nan
    first = Reading.model_validate({"celsius": nan, "humidity": nan, "meta": '{"a":1}'})
    return [first, Reading(celsius=math.inf), Reading(celsius=-1, humidity=nan)]


def measured(reading: Reading) -> Measured:
    if reading.celsius == -1:
        raise TerminalError("it is cold", 400)
    return Measured(readings=[reading], is_fine=reading.celsius > 0)


class Summary(BaseModel):
    seen: list[str]

    @computed_field
    @property
    def count(self) -> int:
        return len(self.seen)


def seen(values: list[Measured], failures: list[Failure[Reading]]) -> Summary:
    readings = [reading for value in values for reading in value.readings]
    readings += [failure.subtask for failure in failures]
    return Summary(seen=[f"{r.celsius} {r.humidity} {r.meta}" for r in readings])


settled = Policy(tolerated_failure_percentage=100)
readings = FanOut(
    "Readings", split=readings_of, execute=measured, aggregate=seen, policy=settled
)
readings_batch = FanOut(
    "ReadingsBatch",
    split=readings_of,
    execute=measured,
    aggregate=seen,
    policy=settled.model_copy(update={"max_items_per_batch": 2}),
)


def misread() -> FanOut[Order, int, int, list[int]]:
    """As another program may have it, with its own idea of the result of `Sheets`."""
    return FanOut("Sheets", split=taken_apart, execute=positive, aggregate=as_they_come)


async def sheet_of(ctx: Context, number: int) -> Sheet:
    order = Order(name=f"of {number}", numbers=[number, -number])
    return await sheets.call(ctx, order)


async def misread_sheet_of(ctx: Context, number: int) -> list[int]:
    return await misread().call(ctx, Order(name="", numbers=[number]))


async def stamped(ctx: Context, key: str) -> int:
    return await stamping.call(ctx, key, idempotency_key=key)


async def secretly(ctx: Context, token: str) -> Summary:
    return await readings.call(ctx, SecretStr(token))


def sheets_as_they_come(values: list[Sheet]) -> list[Sheet]:
    return values


def lists_as_they_come(values: list[list[int]]) -> list[list[int]]:
    return values


def summaries(values: list[Summary]) -> list[Summary]:
    return values


def words(text: str) -> list[str]:
    return text.split()


def thrice(key: str) -> list[str]:
    return [key] * 3


def entered(key: str) -> int:
    return entries(key, ".")


def first_of(values: list[int]) -> int:
    return values[0]


stamping = FanOut("Stamping", split=words, execute=entered, aggregate=first_of)
calling = FanOut(
    "Calling", split=numbers, execute=sheet_of, aggregate=sheets_as_they_come
)
calling_misread = FanOut(
    "CallingMisread",
    split=numbers,
    execute=misread_sheet_of,
    aggregate=lists_as_they_come,
)
calling_once = FanOut(
    "CallingOnce", split=thrice, execute=stamped, aggregate=as_they_come
)
calling_secretly = FanOut(
    "CallingSecretly", split=words, execute=secretly, aggregate=summaries
)


class Wait(BaseModel):
    seconds: float
    policy: Policy = Policy()


def waits(wait: Wait) -> list[Wait]:
    return [wait] * 2


async def waited(wait: Wait) -> float:
    await asyncio.sleep(wait.seconds)
    return wait.seconds


async def waited_durably(ctx: Context, wait: Wait) -> float:
    if wait.seconds < 0:
        raise ValueError("a pause in the past")
    await ctx.sleep(timedelta(seconds=wait.seconds))
    return wait.seconds


def count_and_kinds(values: list[float], failures: list[Failure[Wait]]) -> list[str]:
    return [f"{f.status} {f.code}: {f.message}" for f in failures] or ["succeeded"]


def counted_attempts(
    values: list[float], failures: list[Failure[Wait]]
) -> list[int | None]:
    return [failure.attempts for failure in failures]


def elsewhere(
    name: str, executor: str, **policy: Any
) -> FanOut[Wait, Wait, float, list[str]]:
    return FanOut(
        name,
        split=waits,
        executor=executor,
        aggregate=count_and_kinds,
        policy=Policy(tolerated_failure_percentage=100, **policy),
    )


waiter = Executor("Waiter", execute=waited)
hasty_waiter = Executor(
    "HastyWaiter",
    execute=waited,
    policy=Policy(max_attempts=1, attempt_timeout=timedelta(seconds=0.5)),
)
code_waiter = Executor("CodeWaiter", execute=waited_durably)
pausing_waiter = Executor(
    "PausingWaiter", execute=waited, policy=Policy(on_exhausted="pause")
)

_SOON = timedelta(seconds=0.5)
waits_one = elsewhere("Waits", "Waiter", subtask_timeout=_SOON)
waits_batch = elsewhere(
    "WaitsBatch", "Waiter", subtask_timeout=_SOON, max_items_per_batch=2
)
tries_one = elsewhere("Tries", "Waiter", attempt_timeout=_SOON, max_attempts=2)
tries_batch = elsewhere(
    "TriesBatch",
    "Waiter",
    attempt_timeout=_SOON,
    max_attempts=2,
    max_items_per_batch=2,
)
hasty = elsewhere("Hasty", "HastyWaiter")
hasty_batch = elsewhere("HastyBatch", "HastyWaiter", max_items_per_batch=2)
code_plain = elsewhere("CodePlain", "CodeWaiter", subtask_timeout=_SOON)
code_attempts = FanOut(
    "CodeAttempts",
    split=waits,
    executor="CodeWaiter",
    aggregate=counted_attempts,
    policy=Policy(tolerated_failure_percentage=100, max_attempts=3),
)
code_timeout = elsewhere("CodeTimeout", "CodeWaiter", attempt_timeout=_SOON)
code_batch = elsewhere("CodeBatch", "CodeWaiter", max_items_per_batch=2)
paused_attempts = elsewhere("PausedAttempts", "PausingWaiter", max_attempts=3)
paused_batch = elsewhere("PausedBatch", "PausingWaiter", max_items_per_batch=2)
