"""`Codec`: a fan-out's name, its tasks as JSON and its results out of JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from parallelizework.errors import UnfitData

if TYPE_CHECKING:
    from parallelizework.fan_out import FanOut

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Codec(Generic[Task, Result]):
    """How the tasks of the fan-out `name` are written and its results are read."""

    name: str
    dump: Callable[[Task], bytes]
    load: Callable[[bytes], Result]


def typed(fan_out: FanOut[Task, Any, Any, Result]) -> Codec[Task, Result]:
    """Tasks and results as the models that the fan-out's functions name.

    The codec raises `UnfitData` for what does not fit them.
    """
    definition = fan_out.definition
    task: TypeAdapter[Task] = _adapter(definition.task.hint)
    result: TypeAdapter[Result] = _adapter(definition.result.hint)

    def dump(value: Task) -> bytes:
        try:
            return task.dump_json(value, warnings="error")
        except PydanticSerializationError as error:
            raise _unfit(definition.task.part, error) from error

    def load(body: bytes) -> Result:
        try:
            return result.validate_json(body)
        except ValidationError as error:
            raise _unfit(definition.result.part, error) from error

    return Codec(definition.name, dump, load)


def plain(name: str) -> Codec[JsonValue, JsonValue]:
    """Tasks and results as dicts, lists and scalars."""
    return Codec(name, to_json, from_json)


def raw(name: str) -> Codec[bytes, bytes]:
    """Tasks and results as the JSON text itself."""
    return Codec(name, bytes, bytes)


def codec_of(
    fan_out: FanOut[Any, Any, Any, Any] | Codec[Any, Any] | str,
) -> Codec[Any, Any]:
    """The codec for a `FanOut`, or for the name of one."""
    if isinstance(fan_out, str):
        return plain(fan_out)
    return fan_out if isinstance(fan_out, Codec) else typed(fan_out)


def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def _unfit(part: str, error: Exception) -> UnfitData:
    return UnfitData(f"{part} does not fit: {' '.join(str(error).split())}")
