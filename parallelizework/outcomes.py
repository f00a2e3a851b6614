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
_DONE = "parallelizework.Done"  # the JSON field; no user's subtask has such a name
_MAX_SHOWN = 60  # characters of a subtask in a message


class CompletionReason(StrEnum):
    """Why a run ended. AWS Step Functions has the first three of these words too."""

    ALL_COMPLETED = "ALL_COMPLETED"
    """Every subtask has an outcome, and no rule ended the run before."""

    MIN_SUCCESSFUL_REACHED = "MIN_SUCCESSFUL_REACHED"
    """`min_successful` subtasks have succeeded."""

    FAILURE_TOLERANCE_EXCEEDED = "FAILURE_TOLERANCE_EXCEEDED"
    """More subtasks failed than the policy tolerates. By default it tolerates none."""

    MIN_SUCCESSFUL_UNREACHABLE = "MIN_SUCCESSFUL_UNREACHABLE"
    """So many subtasks failed that `min_successful` can no longer be reached."""

    FIRST_SETTLED = "FIRST_SETTLED"
    """The first subtask has ended, and the policy has `race=True`."""

    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    """The deadline of the run has passed."""

    CANCELLED = "CANCELLED"
    """Somebody cancelled the run."""


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
        """Return the larger of both counts, for each outcome."""
        return Counts(
            succeeded=max(self.succeeded, other.succeeded),
            failed=max(self.failed, other.failed),
            timed_out=max(self.timed_out, other.timed_out),
            cancelled=max(self.cancelled, other.cancelled),
        )

    @property
    def settled(self) -> int:
        """How many subtasks have ended, with any outcome."""
        return self.succeeded + self.failed + self.timed_out + self.cancelled


@dataclass(frozen=True)
class Attempt:
    """The current attempt at a subtask: the optional second parameter of `execute`.

    Attributes:
        number: The number of the attempt; 1 for the first one.
        key: An idempotency key for the calls that `execute` makes. All attempts at a
            subtask have the same key, also after a crash. No other subtask of any run
            has this key.

    Examples:
        ```python
        def execute(order: Order, attempt: Attempt) -> Receipt:
            return pay(order, idempotency_key=attempt.key)
        ```
    """

    number: int
    key: str


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
