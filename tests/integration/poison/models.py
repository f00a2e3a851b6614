"""The models of a run with poison."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from parallelizework import CompletionReason, Policy

Load = TypeVar("Load")
MIB = 2**20
SUBTASKS = 3
POISONED = 1  # the index of the subtask or shard with the poison
AT = [
    "",
    "task",
    "split",
    "item",
    "failing item",
    "done",
    "execute",
    "shard",
    "expand",
    "expanded item",
    "failing expanded item",
    "combine",
    "aggregate",
]


class Vessel(BaseModel):
    """A model that can hold poison in a field."""

    number: float = 0.5
    maybe: float | None = None
    text: str = "healthy"
    table: dict[str, float] = {}
    more: Any = None


class Dose(BaseModel):
    """The kind of poison, and the point at which it arises.

    Attributes:
        at: "split", "item", "done", "expand", "shard", "execute", "combine", or
            "aggregate"; "task" if the task contains the poison.
        key: The ledger in which each poison that arises is recorded.
    """

    kind: str = ""
    at: str = ""
    key: str = ""


class Task(Dose, Generic[Load]):
    load: Load | None = None
    policy: Policy = Policy()

    @property
    def dose(self) -> Dose:
        """The dose without the other fields."""
        return Dose(kind=self.kind, at=self.at, key=self.key)


class Item(BaseModel, Generic[Load]):
    """A subtask or a shard."""

    dose: Dose
    index: int
    load: Load


class Report(BaseModel):
    """The arguments of `aggregate`: the kind of each value, each failure's status."""

    values: list[str]
    failures: list[tuple[int, str, int]]
    reason: CompletionReason
