"""`Done`: a subtask whose value is known before the run. Pure."""

from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import ConfigDict, Field

Value = TypeVar("Value")

_DONE = "parallelizework.Done"  # the JSON field; no user's subtask has such a name


@dataclass(frozen=True)
class Done(Generic[Value]):
    """A subtask whose value is known before the run.

    `split` and `expand` may return a `Done` instead of a subtask. The subtask counts as
    succeeded, and is not executed.

    Attributes:
        value: The value, of the type that `execute` returns.

    Examples:
        ```python
        def split(words: list[str]) -> list[str | Done[int]]:
            return [Done(0) if word == "" else word for word in words]
        ```
    """

    __pydantic_config__ = ConfigDict(serialize_by_alias=True)

    value: Annotated[Value, Field(alias=_DONE)]


def known_values(items: list[Any]) -> dict[int, Any]:
    """Return the values of the items that are `Done`, by index.

    Args:
        items: Items of a split, as plain JSON.
    """
    return {index: item[_DONE] for index, item in enumerate(items) if is_known(item)}


def is_known(item: object) -> bool:
    """Whether an item of a split, as plain JSON, is `Done`."""
    return isinstance(item, dict) and list(item) == [_DONE]  # pyright: ignore[reportUnknownArgumentType] - of any type
