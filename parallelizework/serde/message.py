"""JSON of our own messages and lists, which users' types are part of."""

from typing import Any, Generic, TypeVar

from pydantic_core import from_json

from parallelizework.serde.validated_json import Json

T = TypeVar("T")


class Message(Json[T], Generic[T]):
    """One of our own messages: what users' functions gave for it was checked then."""

    _may_hold_models = False


class JsonList(Json[list[Any]]):
    """A list of one declared type that is written as that type, but read as plain JSON.

    What a coordinator sends on is the same in every replay then; a model that holds a
    set would be written in another order by another process.
    """

    def __init__(self, item: Any, part: str, *, remedy: str) -> None:
        super().__init__(list[item], part, remedy=remedy)

    def deserialize(self, buf: bytes) -> list[Any]:
        """The items as dicts, lists and scalars."""
        return from_json(buf)


def list_of(item: Any) -> Any:
    """`list[item]`, of a type that is known only at run time."""
    return list[item]
