"""`Call`: one call to make, and what its end means for the run."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic_core import from_json
from restate import Context, RestateDurableCallFuture, TerminalError

from parallelizework.outcomes import Failure, Fault, Part, is_cancelled

Future = RestateDurableCallFuture[bytes]


@dataclass(frozen=True)
class Known:
    """A subtask that needs no call, as its value is known."""

    value: object


@dataclass(frozen=True)
class Call:
    """One call of a part of a run; an error is the error of the run.

    Attributes:
        name: What it does, for the message when it fails; empty where the message of
            the one who was called says it already.
        reports: It tells how far it has come while it is going on, and gives and takes
            places.
        timeout: How long it may take.
    """

    service: str
    handler: str
    headers: dict[str, str] = field(default_factory=dict[str, str], kw_only=True)
    name: str = field(default="", kw_only=True)
    reports: bool = field(default=False, kw_only=True)
    timeout: timedelta | None = field(default=None, kw_only=True)

    def start(self, ctx: Context, places: int) -> Future:
        """Make the call; the future is its answer."""
        return ctx.generic_call(
            self.service, self.handler, self.body(places), headers=self.headers or None
        )

    def body(self, places: int) -> bytes:
        """What to send, with so many places to make use of."""
        raise NotImplementedError

    def landed(self, answer: bytes) -> Part:
        """The outcomes that an answer tells of."""
        return Part.model_validate_json(answer)

    def unfinished(self) -> list[Failure[Any]]:
        """The subtasks that it stands for, if it has not ended at the deadline."""
        return []

    def failed(self, error: TerminalError, *, late: bool) -> Part:
        """The outcomes, where there is an error instead of an answer.

        Args:
            late: It was cancelled as its time was up.

        Raises:
            TerminalError: There are none.
        """
        message = f"{self.name}: {error.message}" if self.name else error.message
        if is_cancelled(error):
            message = f"{self.service}/{self.handler} was {error.message}"
        raise TerminalError(message, error.status_code) from error


@dataclass(frozen=True)
class SubtaskCall(Call):
    """A call of one subtask; an error is its outcome.

    Attributes:
        json: The subtask, as it is sent.
    """

    json: bytes
    index: int
    shard: int | None
    subtask: Any

    def body(self, places: int) -> bytes:
        """The subtask alone."""
        return self.json

    def landed(self, answer: bytes) -> Part:
        """The one value."""
        return Part(succeeded=1, values=[from_json(answer)])

    def failed(self, error: TerminalError, *, late: bool) -> Part:
        """The one failure."""
        fault = Fault.of(error)
        if late and self.timeout and is_cancelled(error):
            fault = Fault.late(self.timeout)
        return Part(failures=[self._failure(fault)])

    def unfinished(self) -> list[Failure[Any]]:
        """The one subtask."""
        return [self._failure(Fault.unfinished())]

    def _failure(self, fault: Fault) -> Failure[Any]:
        return fault.failure(self.subtask, index=self.index, shard=self.shard)
