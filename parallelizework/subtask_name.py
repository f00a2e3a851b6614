"""`SubtaskName`: which subtask of which run a call is for, as logs say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_HEADER = "x-parallelizework-subtask"


@dataclass(frozen=True)
class SubtaskName:
    """The name of a subtask.

    Attributes:
        run: The id of its run.
        index: Its position in the split, or in its shard.
        shard: The position of its shard, where there are shards.
    """

    run: str
    index: int
    shard: int | None = None

    def __str__(self) -> str:
        shard = "" if self.shard is None else f" shard={self.shard}"
        return f"run={self.run}{shard} index={self.index}"

    @property
    def header(self) -> dict[str, str]:
        """The header that tells a call of `runSubtask`, whose body is the subtask."""
        return {_HEADER: str(self)}

    def moved(self, by: int) -> Self:
        """The name of the subtask so many positions further on."""
        return type(self)(self.run, self.index + by, self.shard)


def name_in(headers: Mapping[str, str]) -> str:
    """The name that such a header has; empty where nobody gave one."""
    return headers.get(_HEADER, "")
