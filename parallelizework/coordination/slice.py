"""`Slice`: items for one call, as one coordinator hands them to another."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from parallelizework.completion import Rule
from parallelizework.coordination.calls import Call
from parallelizework.coordination.reports import Reports
from parallelizework.outcomes import Failure, Fault, known_values
from parallelizework.overrides import Overrides
from parallelizework.serde import Json

Item = TypeVar("Item")

_OF_SUBTASKS = ("runBatch", "runSegment")


class Slice(BaseModel, Generic[Item]):
    """Items for one call, as one coordinator hands them to another.

    Attributes:
        run: The id of the run, for logs.
        first: The index of the first item.
        slots: How many subtasks may be executing at once.
        shard: The index of the shard that they were expanded from.
        overrides: What the request says about the policy.
        rule: When to end early, or what is left of it.
        reports: What the one who made the call wants to hear meanwhile.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    run: str = ""
    first: int = 0
    slots: int
    items: list[Item]
    shard: int | None = None
    overrides: Overrides = {}
    rule: Rule = Rule()
    reports: Reports | None = None

    def cut(self, start: int, end: int, rule: Rule) -> "Slice[Any]":
        """A part of this slice."""
        return Slice[Any](
            run=self.run,
            first=self.first + start,
            slots=self.slots,
            items=self.items[start:end],
            shard=self.shard,
            overrides=self.overrides,
            rule=rule,
        )


@dataclass(frozen=True)
class SliceCall(Call):
    """A call for a slice.

    Attributes:
        json: How the slice is sent.
        slots: How many of them a place is.
    """

    part: Slice[Any]
    json: Json[Slice[Any]]
    slots: int

    def unfinished(self) -> list[Failure[Any]]:
        """Its subtasks; shards that are not expanded have none yet."""
        if self.handler not in _OF_SUBTASKS:
            return []
        part, known = self.part, known_values(self.part.items)
        return [
            Fault.unfinished().failure(item, index=part.first + i, shard=part.shard)
            for i, item in enumerate(part.items)
            if i not in known
        ]

    def body(self, places: int) -> bytes:
        """The slice, with its share of the slots."""
        update = {"slots": places * self.slots}
        return self.json.serialize(self.part.model_copy(update=update))
