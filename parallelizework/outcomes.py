"""Outcomes: how subtasks end, and how many of each. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

Subtask = TypeVar("Subtask")
Value = TypeVar("Value")

Status = Literal["failed", "timed_out", "cancelled"]

TIMED_OUT = 504
_DONE = "parallelizework.Done"  # in JSON, so that no user's subtask looks like it
_SHOWN = 60  # characters of a subtask in a message


class CompletionReason(StrEnum):
    """Why a run ended; the first three of the words are AWS's."""

    ALL_COMPLETED = "ALL_COMPLETED"
    MIN_SUCCESSFUL_REACHED = "MIN_SUCCESSFUL_REACHED"
    FAILURE_TOLERANCE_EXCEEDED = "FAILURE_TOLERANCE_EXCEEDED"
    MIN_SUCCESSFUL_UNREACHABLE = "MIN_SUCCESSFUL_UNREACHABLE"
    FIRST_SETTLED = "FIRST_SETTLED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"


class Counts(BaseModel):
    """How many subtasks have ended, by outcome."""

    model_config = ConfigDict(frozen=True)

    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            succeeded=self.succeeded + other.succeeded,
            failed=self.failed + other.failed,
            timed_out=self.timed_out + other.timed_out,
            cancelled=self.cancelled + other.cancelled,
        )

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(
            succeeded=self.succeeded - other.succeeded,
            failed=self.failed - other.failed,
            timed_out=self.timed_out - other.timed_out,
            cancelled=self.cancelled - other.cancelled,
        )

    def at_least(self, other: "Counts") -> "Counts":
        """The larger of both counts, for each outcome."""
        return Counts(
            succeeded=max(self.succeeded, other.succeeded),
            failed=max(self.failed, other.failed),
            timed_out=max(self.timed_out, other.timed_out),
            cancelled=max(self.cancelled, other.cancelled),
        )

    @property
    def settled(self) -> int:
        """How many have ended."""
        return self.succeeded + self.failed + self.timed_out + self.cancelled


@dataclass(frozen=True)
class Attempt:
    """Which attempt at which subtask: `execute` may take it beside the subtask.

    Attributes:
        number: 1 for the first.
        key: Names the subtask among those of all runs. The key is the same at every
            attempt, after a crash too: an idempotency key for whatever `execute` calls.
    """

    number: int
    key: str


@dataclass(frozen=True)
class Done(Generic[Value]):
    """A subtask whose value is known already: it counts as succeeded, uncalled.

    `split` and `expand` may give a `Done` instead of a subtask.
    """

    __pydantic_config__ = ConfigDict(serialize_by_alias=True)

    value: Annotated[Value, Field(alias=_DONE)]


def known_values(items: list[Any]) -> dict[int, Any]:
    """The values of those items, read as plain JSON, that are `Done`; by index."""
    return {
        index: item[_DONE]
        for index, item in enumerate(items)
        if isinstance(item, dict) and list(item) == [_DONE]  # pyright: ignore[reportUnknownArgumentType] - of any type
    }


class Fault(BaseModel):
    """Why a subtask did not succeed.

    Attributes:
        code: The status code of the error.
        attempts: How often the subtask was tried; None where nobody has counted.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    status: Status
    message: str
    code: int
    attempts: int | None = None

    @classmethod
    def timed_out_after(cls, timeout: timedelta) -> "Fault":
        """The end of a subtask that took too long altogether."""
        message = f"it took longer than {timeout.total_seconds():g} s"
        return cls(status="timed_out", message=message, code=TIMED_OUT)

    @classmethod
    def unfinished(cls) -> "Fault":
        """A subtask that had not ended when the deadline of its run passed."""
        message = "it had not ended when the deadline passed"
        return cls(status="cancelled", message=message, code=TIMED_OUT)

    def failure(
        self, subtask: object, *, index: int, shard: int | None
    ) -> "Failure[Any]":
        """The failure of a subtask for this reason."""
        return Failure[Any](index=index, shard=shard, subtask=subtask, **dict(self))


class Failure(Fault, Generic[Subtask]):
    """How a subtask failed.

    Attributes:
        index: The index of the subtask in the split. With `expand`, it counts from 0 in
            each shard: `shard` and `index` together say which subtask it is.
        shard: The index of its shard in the split; None where there is no `expand`.
        subtask: The subtask itself.
    """

    index: int
    shard: int | None = None
    subtask: Subtask

    def __str__(self) -> str:
        name = f"subtask {self.index}"
        if self.shard is not None:
            name += f" of shard {self.shard}"
        about = f"subtask: {_short(self.subtask)}"
        if self.attempts is not None:
            about += f", attempts: {self.attempts}"
        return f"{name} {self.status.replace('_', ' ')}: {self.message} ({about})"


def in_order(failures: list[Failure[Any]]) -> list[Failure[Any]]:
    """Failures in the order of the split."""
    return sorted(failures, key=lambda failure: (failure.shard or 0, failure.index))


def _short(subtask: object) -> str:
    shown = to_json(subtask).decode()
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
