"""Outcomes: how subtasks ended, as coordinators tell each other and `aggregate`."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from restate import TerminalError

from parallelizework.completion import Counts

Subtask = TypeVar("Subtask")
Value = TypeVar("Value")

Status = Literal["failed", "timed_out", "cancelled"]

TIMED_OUT = 504
_CANCELLED = 409
_DONE = "parallelizework.Done"  # in JSON, so that no user's subtask looks like it
_STATUS, _ATTEMPTS = "parallelizework.status", "parallelizework.attempts"


@dataclass(frozen=True)
class Done(Generic[Value]):
    """A subtask whose value is known already: it counts as succeeded, uncalled.

    `split` and `expand` may give it in the place of a subtask.
    """

    __pydantic_config__ = ConfigDict(serialize_by_alias=True)

    value: Annotated[Value, Field(alias=_DONE)]


def known_values(items: list[Any]) -> dict[int, Any]:
    """The values of those items, read as plain JSON, that are `Done`; by place."""
    return {
        place: item[_DONE]
        for place, item in enumerate(items)
        if isinstance(item, dict) and list(item) == [_DONE]  # pyright: ignore[reportUnknownArgumentType] - of any type
    }


class Fault(BaseModel):
    """Why a subtask did not succeed.

    Attributes:
        code: The status code of the error.
        attempts: How often it was tried; None where nobody has counted.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    status: Status
    message: str
    code: int
    attempts: int | None = None

    @classmethod
    def of(cls, error: TerminalError) -> "Fault":
        """What the error means that a call of `runSubtask` ended with."""
        said = error.metadata or {}
        status = "cancelled" if is_cancelled(error) else "failed"
        attempts = said.get(_ATTEMPTS, "")
        return cls(
            status="timed_out" if said.get(_STATUS) == "timed_out" else status,
            message=error.message,
            code=error.status_code,
            attempts=int(attempts)
            if attempts.isascii() and attempts.isdigit()
            else None,
        )

    @classmethod
    def late(cls, timeout: timedelta) -> "Fault":
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
        """The failure of a subtask that this is."""
        return Failure[Any](index=index, shard=shard, subtask=subtask, **dict(self))

    def error(self) -> TerminalError:
        """The error for `runSubtask` to end with."""
        said = {_STATUS: self.status}
        if self.attempts is not None:
            said[_ATTEMPTS] = str(self.attempts)
        return TerminalError(self.message, self.code, metadata=said)


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


class Part(BaseModel):
    """The outcomes of a part of a run.

    Attributes:
        succeeded: How many have succeeded.
        values: Of those, in order; or fewer, where they are combined.
        late: Those that ended when the run had ended already: executed, but no outcome.
        cancelled: There would have been more.
        unfinished: Those that had not ended when the deadline passed, where the run
            answers then. They are not among the counts.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    succeeded: int = 0
    cancelled: bool = False
    values: list[Any] = []
    failures: list[Failure[Any]] = []
    late: Counts = Counts()
    unfinished: list[Failure[Any]] = []

    @property
    def counts(self) -> Counts:
        """How many outcomes there are."""
        by_status = Counter(failure.status for failure in self.failures)
        return Counts(succeeded=self.succeeded, **by_status)

    @property
    def ended(self) -> Counts:
        """How many subtasks have ended, late ones too."""
        return self.counts + self.late

    def first(self, successes: int) -> "Part":
        """So many successes and no more, unless they are combined."""
        if self.succeeded <= successes or len(self.values) != self.succeeded:
            return self
        update = {"succeeded": successes, "values": self.values[:successes]}
        return self.model_copy(update=update)

    def dropped(self) -> "Part":
        """What is left of it where the run has ended already."""
        return Part(unfinished=self.unfinished)


def in_order(failures: list[Failure[Any]]) -> list[Failure[Any]]:
    """Failures in the order of the split."""
    return sorted(failures, key=lambda failure: (failure.shard or 0, failure.index))


def cancelled() -> TerminalError:
    """The error of an invocation that has been cancelled, as Restate words it."""
    return TerminalError("cancelled", _CANCELLED)


def is_cancelled(error: TerminalError) -> bool:
    """Whether an invocation ended because somebody cancelled or killed it."""
    if error.metadata and _STATUS in error.metadata:  # an attempt's own words
        return False
    return error.status_code == _CANCELLED and error.message in ("cancelled", "killed")


_SHOWN = 60  # characters of a subtask in a message


def _short(subtask: object) -> str:
    shown = to_json(subtask).decode()
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
