"""Fan-outs of values: of numbers, texts, models, and of any JSON."""

from collections.abc import AsyncIterator
from typing import Any, NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from parallelizework import FanOut, Policy


def numbers(count: int) -> list[int]:
    return list(range(count))


def square(number: int) -> int:
    return number * number


def unchanged(squares: list[int]) -> list[int]:
    return squares


def added(values: list[int]) -> int:
    return sum(values)


squares = FanOut("Squares", split=numbers, execute=square, aggregate=unchanged)


def how_many(values: list[int]) -> int:
    return len(values)


def listed_lines(task: list[str]) -> list[str]:
    return task


def shouted(line: str) -> str:
    return line.upper()


lines = FanOut("Lines", split=listed_lines, execute=shouted, aggregate=listed_lines)


class Circle(BaseModel):
    radius: float


class Box(BaseModel):
    width: float
    height: float


Shape = Circle | Box


async def shapes(task: list[Shape | None]) -> AsyncIterator[Shape | None]:
    for shape in task:
        yield shape


async def grown(shape: Shape | None) -> dict[str, Shape | None]:
    match shape:
        case Circle():
            return {"grown": Circle(radius=shape.radius * 2)}
        case Box():
            return {"grown": Box(width=shape.width * 2, height=shape.height * 2)}
        case None:
            return {"grown": None}


def listed(values: list[dict[str, Shape | None]]) -> list[Shape | None]:
    return [value["grown"] for value in values]


shapes_fan_out = FanOut("Shapes", split=shapes, execute=grown, aggregate=listed)


def flat(lists: list[list[int]]) -> list[int]:
    return [number for numbers in lists for number in numbers]


async def itself(number: int) -> int:
    return number


class Aliased(BaseModel):
    user_id: int = Field(alias="userId")


def aliases(task: list[Aliased]) -> list[Aliased]:
    return task


def user_of(item: Aliased) -> int:
    return item.user_id


aliased = FanOut("Aliased", split=aliases, execute=user_of, aggregate=unchanged)
Anything = dict[str, Any]


def anything(task: list[Anything]) -> list[Anything]:
    return task


def executed(item: Anything) -> Anything:
    return {"executed": item}


unmarked = FanOut("Unmarked", split=anything, execute=executed, aggregate=anything)


class TypedTrial(TypedDict):
    count: int
    policy: NotRequired[Policy]


def typed_numbers(task: TypedTrial) -> list[int]:
    return numbers(task["count"])


typed_trials = FanOut(
    "TypedTrials", split=typed_numbers, execute=itself, aggregate=unchanged
)
