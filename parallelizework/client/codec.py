"""`Codec`: a fan-out's name, its tasks as JSON and its results out of JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, from_json, to_json
from restate import TerminalError

from parallelizework.errors import UnfitData

if TYPE_CHECKING:
    from parallelizework.fan_out import FanOut

Task = TypeVar("Task")
Result = TypeVar("Result")


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


def typed(fan_out: FanOut[Task, Any, Any, Result]) -> Codec[Task, Result]:
    """Tasks and results as the models that the fan-out's functions name.

    The codec raises `UnfitData` for what does not fit them.
    """
    definition = fan_out.definition

    def dump(value: Task) -> bytes:
        try:
            return definition.task_json.serialize(value)
        except TerminalError as error:
            raise UnfitData(error.message) from error

    def load(body: bytes) -> Result:
        try:
            return definition.result_json.deserialize(body)
        except TerminalError as error:
            raise UnfitData(error.message) from error

    def is_same(value: Task, body: bytes) -> bool:
        return definition.task_json.deserialize(body) == value

    return Codec(definition.name, dump, load, is_same)


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
    fan_out: FanOut[Any, Any, Any, Any] | Codec[Any, Any] | str,
) -> Codec[Any, Any]:
    """The codec for a `FanOut`, or for the name of one."""
    if isinstance(fan_out, str):
        return plain(fan_out)
    return fan_out if isinstance(fan_out, Codec) else typed(fan_out)
