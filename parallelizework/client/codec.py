"""`Codec`: a fan-out's name, its tasks as JSON and its results out of JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, from_json, to_json

from parallelizework.errors import UnfitData

if TYPE_CHECKING:
    from parallelizework.fan_out import FanOut

Task = TypeVar("Task")
Subtask = TypeVar("Subtask")
Value = TypeVar("Value")
Result = TypeVar("Result")
From = TypeVar("From")
To = TypeVar("To")


@dataclass(frozen=True)
class Codec(Generic[Task, Result]):
    """How the tasks of the fan-out `name` are written and its results are read.

    Attributes:
        is_same: Whether JSON stands for that task.
    """

    name: str
    dump: Callable[[Task], bytes]
    load: Callable[[bytes], Result]
    is_same: Callable[[Task, bytes], bool]


def typed(fan_out: FanOut[Task, Subtask, Value, Result]) -> Codec[Task, Result]:
    """Tasks and results as the models that the fan-out's functions name.

    The codec raises `UnfitData` for what does not fit them.
    """
    from restate import TerminalError  # noqa: PLC0415 - whoever has a FanOut has it

    def fitting(convert: Callable[[From], To]) -> Callable[[From], To]:
        def converted(value: From) -> To:
            try:
                return convert(value)
            except TerminalError as error:
                raise UnfitData(error.message) from error

        return converted

    task, result = fan_out.definition.task_json, fan_out.definition.result_json
    return Codec(
        fan_out.name,
        fitting(task.serialize),
        fitting(result.deserialize),
        lambda value, body: task.deserialize(body) == value,
    )


def plain(name: str) -> Codec[JsonValue, JsonValue]:
    """Tasks and results as dicts, lists and scalars."""

    def dump(value: JsonValue) -> bytes:
        try:
            return to_json(value)
        except PydanticSerializationError as error:
            raise UnfitData(f"the task of {name} is no JSON: {error}") from error

    return Codec(name, dump, from_json, lambda value, body: from_json(body) == value)


def raw(name: str) -> Codec[bytes, bytes]:
    """Tasks and results as the JSON text itself."""
    return Codec(
        name, bytes, bytes, lambda value, body: from_json(body) == from_json(value)
    )


def codec_of(
    fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
) -> Codec[Task, Result]:
    """The codec for a `FanOut`, or for the name of one: then both types are JSON."""
    if isinstance(fan_out, str):
        return cast("Codec[Task, Result]", plain(fan_out))
    return fan_out if isinstance(fan_out, Codec) else typed(fan_out)
