"""`Level`: how the items of one kind, shards or subtasks, become calls."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from parallelizework.coordinator import Call
from parallelizework.plan import SEGMENT, plan
from parallelizework.serde import Json, JsonList

Item = TypeVar("Item")


class Slice(BaseModel, Generic[Item]):
    """Items for one call, as one coordinator hands them to another.

    Attributes:
        first: The index of the first item.
        slots: How many subtasks may be executing at once.
    """

    first: int
    slots: int
    items: list[Item]


@dataclass(frozen=True)
class Calls:
    """What a coordinator sends.

    Attributes:
        calls: In the order of their items.
        window: How many may be in flight at once.
        single: Each answers with one value, rather than with a list.
    """

    calls: Iterator[Call]
    window: int
    single: bool


class Level:
    """How the items of one kind are executed.

    Args:
        service: The service that executes them.
        item: The type of an item.
        one: The handler of a unit.
        many: The handler of a slice that is too large for one coordinator.
        wide: A unit can make several calls at once.
        batch: How many subtasks one call executes.
        segment: How many units a coordinator calls itself, at most.
    """

    def __init__(  # noqa: PLR0913 - it is a table of two rows, in `handlers`
        self,
        service: str,
        item: Json[Any],
        *,
        one: str,
        many: str,
        batch: int = 1,
        wide: bool = False,
        segment: int = SEGMENT,
    ) -> None:
        self.items = JsonList(
            item.hint,
            f"the list of subtasks of {service}",
            remedy="split into shards, and expand each where it is executed",
        )
        self.slice = Json[Slice[Any]](Slice[Any], f"a slice of {service}")
        self.typed = Json[Slice[Any]](Slice[typed(item.hint)], f"a slice of {service}")
        self._service = service
        self._item = Json[Any](Any, item.part)
        self._one, self._many = one, many
        self._batch = batch
        self._unit = 1 if wide else batch  # items
        self._wide = wide
        self._segment = segment

    def calls(self, part: Slice[Any]) -> Calls:
        """Plan the calls for a slice."""
        units = ceil(len(part.items) / self._unit)
        free = max(1, part.slots // self._batch)
        made = plan(units, free, wide=self._wide, segment=self._segment)
        slots = min(part.slots, made.slots * self._batch)
        sizes = [size * self._unit for size in made.sizes]
        single = made.direct and self._one == "runSubtask"
        if single:
            calls = self._subtasks(part)
        else:
            handler = self._one if made.direct else self._many
            calls = self._slices(part, sizes, slots, handler)
        return Calls(calls, made.window, single)

    def _subtasks(self, part: Slice[Any]) -> Iterator[Call]:
        for index, item in enumerate(part.items, part.first):
            body = self._item.serialize(item)
            yield Call(self._service, self._one, body, f"subtask {index} failed")

    def _slices(
        self, part: Slice[Any], sizes: Sequence[int], slots: int, handler: str
    ) -> Iterator[Call]:
        for start, end in pairwise(accumulate(sizes, initial=0)):
            first = part.first + start
            body = self.slice.serialize(
                Slice(first=first, slots=slots, items=part.items[start:end])
            )
            name = f"shard {first}" if handler == "runShard" else ""
            yield Call(self._service, handler, body, name)


def whole(items: list[Any], slots: int) -> Slice[Any]:
    """All items as one slice."""
    return Slice(first=0, slots=slots, items=items)


def typed(hint: Any) -> Any:
    """`hint` as a type argument, of a type that is known only at run time."""
    return hint
