"""Fan-outs of models, whose `aggregate` also reads the task or the failures."""

import math

from pydantic import BaseModel, ConfigDict, Json, SecretStr, computed_field
from restate import TerminalError

from parallelizework import CompletionReason, Failure, FanOut, Policy


class Numbers(BaseModel):
    """A task of numbers, of which the negative ones fail."""

    name: str
    numbers: list[int]
    policy: Policy = Policy()


class Sheet(BaseModel):
    name: str
    squares: dict[int, int | str]
    reason: CompletionReason


def taken_apart(task: Numbers) -> list[int]:
    taken, task.numbers = task.numbers, []  # its own, not that of `aggregate`
    return taken


def positive(number: int) -> int:
    if number < 0:
        raise TerminalError(f"{number} is negative", 400)
    return number * number


def sheet(
    squares: list[int],
    failures: list[Failure[int]],
    reason: CompletionReason,
    task: Numbers,
) -> Sheet:
    failed = {failure.subtask: failure.message for failure in failures}
    rest = iter(squares)
    entries = {n: failed[n] if n in failed else next(rest) for n in task.numbers}
    return Sheet(name=task.name, squares=entries, reason=reason)


sheets = FanOut(
    "Sheets",
    split=taken_apart,
    execute=positive,
    aggregate=sheet,
    policy=Policy(tolerated_failure_percentage=100),
)


class Reading(BaseModel):
    """A model that pydantic writes in another way than it reads."""

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
