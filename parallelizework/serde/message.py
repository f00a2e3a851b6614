"""JSON for our own messages, and for lists of values of users' types."""

from typing import Any, Generic, TypeVar

from pydantic_core import from_json

from parallelizework.serde.validated_json import Json

T = TypeVar("T")


class Message(Json[T], Generic[T]):
    """JSON for one of our own messages.

    The values of users in a message were checked when their functions returned them.
    """

    _may_hold_models = False


class JsonList(Json[list[Any]]):
    """A list of one declared type: written as that type, but read as plain JSON.

    A coordinator sends the plain JSON on, so it sends the same bytes in every replay.
    Models would not do: another process may write a `set` in another order.
    """

    def __init__(self, item: Any, part: str, *, remedy: str) -> None:
        super().__init__(list[item], part, remedy=remedy)

    def deserialize(self, buf: bytes) -> list[Any]:
        """Return the items as dicts, lists and scalars."""
        return from_json(buf)


def list_of(item: Any) -> Any:
    """Return the type `list[item]`, for an item type that is known only at run time."""
    return list[item]
