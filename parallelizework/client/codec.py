"""`Codec`: converts the tasks of a fan-out to JSON, and its results from JSON."""

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
    """Converts the tasks and the results of one fan-out.

    Attributes:
        name: The name of the fan-out.
        dump: Converts a task to JSON.
        load: Converts a result from JSON.
        is_same: Whether a task equals the task in a JSON text.
    """

    name: str
    dump: Callable[[Task], bytes]
    load: Callable[[bytes], Result]
    is_same: Callable[[Task, bytes], bool]


def typed(fan_out: FanOut[Task, Subtask, Value, Result]) -> Codec[Task, Result]:
    """The codec for tasks and results in the types of the fan-out's functions.

    The codec raises `UnfitData` for a value that does not fit its type.
    """
    from restate import TerminalError  # noqa: PLC0415 - a program with a FanOut has it

    def checked(convert: Callable[[From], To]) -> Callable[[From], To]:
        def converted(value: From) -> To:
            try:
                return convert(value)
            except TerminalError as error:
                raise UnfitData(error.message) from error

        return converted

    task, result = fan_out.definition.task_json, fan_out.definition.result_json
    return Codec(
        fan_out.name,
        checked(task.serialize),
        checked(result.deserialize),
        lambda value, body: task.deserialize(body) == value,
    )


def plain(name: str) -> Codec[JsonValue, JsonValue]:
    """The codec for tasks and results as dicts, lists and scalars."""

    def dump(value: JsonValue) -> bytes:
        try:
            return to_json(value)
        except PydanticSerializationError as error:
            raise UnfitData(
                f"the task of {name} cannot be written as JSON: {error}"
            ) from error

    return Codec(name, dump, from_json, lambda value, body: from_json(body) == value)


def raw(name: str) -> Codec[bytes, bytes]:
    """The codec for tasks and results as JSON text."""
    return Codec(
        name, bytes, bytes, lambda value, body: from_json(body) == from_json(value)
    )


def codec_of(
    fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
) -> Codec[Task, Result]:
    """The typed codec for a `FanOut`; the plain codec for the name of a fan-out."""
    if isinstance(fan_out, str):
        return cast("Codec[Task, Result]", plain(fan_out))
    return fan_out if isinstance(fan_out, Codec) else typed(fan_out)
