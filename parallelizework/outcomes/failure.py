"""`Failure`: a subtask that did not succeed, and why. Pure."""

from datetime import timedelta
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

Subtask = TypeVar("Subtask")

Status = Literal["failed", "timed_out", "cancelled"]

TIMED_OUT = 504
_MAX_SHOWN = 60  # characters of a subtask in a message


def _is_none(value: object) -> bool:
    return value is None


class Fault(BaseModel):
    """Why a subtask did not succeed.

    Attributes:
        status: `failed`, `timed_out` or `cancelled`.
        message: The message of the error.
        code: The status code of the error: an HTTP status, such as 500.
        attempts: How many attempts the subtask had; `None` if they were not counted.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    status: Status
    message: str
    code: int
    attempts: int | None = None

    @classmethod
    def timed_out_after(cls, timeout: timedelta) -> "Fault":
        """Return the fault of a subtask that exceeded its `subtask_timeout`."""
        message = f"it took longer than {timeout.total_seconds():g} s"
        return cls(status="timed_out", message=message, code=TIMED_OUT)

    @classmethod
    def unfinished(cls) -> "Fault":
        """Return the fault of a subtask that had not ended at the run's deadline."""
        message = "it had not ended when the deadline passed"
        return cls(status="cancelled", message=message, code=TIMED_OUT)

    def failure(
        self, subtask: object, *, index: int, shard: int | None, name: str | None = None
    ) -> "Failure[Any]":
        """Return the failure of a subtask with this fault."""
        return Failure[Any](
            index=index, shard=shard, name=name, subtask=subtask, **dict(self)
        )


class Failure(Fault, Generic[Subtask]):
    """A subtask that failed, and why. `aggregate` may accept `list[Failure[Subtask]]`.

    Attributes:
        index: The index of the subtask in the list that `split` returned. With
            `expand`, the index in the list that `expand` returned for the shard.
        shard: The index of the shard in the list that `split` returned. `None` for a
            fan-out without `expand`.
        name: What `name_of` of the fan-out returned for the subtask, in one line of at
            most 80 characters. `None`, and absent from JSON, if the subtask has no
            name.
        subtask: The subtask itself.
        status: `failed`, `timed_out` or `cancelled`.
        message: The message of the error.
        code: The status code of the error: an HTTP status, such as 500.
        attempts: How many attempts the subtask had; `None` if they were not counted.
    """

    index: int
    shard: int | None = None
    # Absent if there is none: messages without names have the same bytes as before.
    name: str | None = Field(default=None, exclude_if=_is_none)
    subtask: Subtask

    def __str__(self) -> str:
        name = f"subtask {self.index}"
        if self.shard is not None:
            name += f" of shard {self.shard}"
        if self.name is not None:
            name += f" ({self.name})"
        about = f"subtask: {_short(self.subtask)}"
        if self.attempts is not None:
            about += f", attempts: {self.attempts}"
        return f"{name} {self.status.replace('_', ' ')}: {self.message} ({about})"


def in_order(failures: list[Failure[Any]]) -> list[Failure[Any]]:
    """Return failures in the order of the split."""
    return sorted(failures, key=lambda failure: (failure.shard or 0, failure.index))


def _short(subtask: object) -> str:
    shown = to_json(subtask).decode()
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."
