"""`Call`: one call of a coordinator, and what its end means for the run."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic_core import from_json
from restate import Context, RestateDurableCallFuture, TerminalError

from parallelizework.completion import Rule
from parallelizework.coordination.fan_in import FanIn
from parallelizework.messages import (
    HandlerName,
    Outcomes,
    ReportRequest,
    Slice,
)
from parallelizework.outcomes import Failure, Fault, known_values
from parallelizework.serde.message import Message
from parallelizework.terminal_errors import fault_of, is_cancelled

Future = RestateDurableCallFuture[bytes]

# How long a cancelled call may take to end.
CANCEL_GRACE = timedelta(seconds=1)


@dataclass(frozen=True)
class Known:
    """A subtask that needs no call, as its value is known."""

    position: int
    value: object

    @property
    def outcomes_without_call(self) -> Outcomes:
        """The one value."""
        return Outcomes(succeeded=1, values=[self.value])


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, for some of the items of a coordinator.

    Attributes:
        position: Which call of its coordinator it is; 0 for the first.
        is_coordinator: The called handler is a coordinator, which sends reports.
        timeout: How long the call may take.
    """

    position: int
    service: str
    handler: HandlerName
    is_coordinator: bool = False
    timeout: timedelta | None = None

    def start(self, ctx: Context, slots: int, fan_in: FanIn) -> Future:
        """Make the call.

        Args:
            slots: How many slots the call has.
            fan_in: What has ended so far.
        """
        raise NotImplementedError

    def outcomes(self, answer: bytes) -> Outcomes:
        """The outcomes in an answer."""
        return Outcomes.model_validate_json(answer)

    def failed(self, error: TerminalError, *, has_timed_out: bool) -> Outcomes:
        """The outcomes, where an error is the answer.

        Args:
            has_timed_out: The call was cancelled, as its timeout had passed.

        Raises:
            TerminalError: The error is no outcome, but the end of the run.
        """
        message = error.message
        if self.handler is HandlerName.RUN_SHARD:
            message = f"shard {self._shard}: {message}"
        if is_cancelled(error):
            message = f"{self.service}/{self.handler} was {error.message}"
        raise TerminalError(message, error.status_code) from error

    def unfinished(self) -> list[Failure[Any]]:
        """Its subtasks, as failures of a call that had not ended at the deadline."""
        return []

    @property
    def outcomes_without_call(self) -> Outcomes:
        """Its outcomes, where it was not started before the deadline."""
        return Outcomes(unfinished=self.unfinished())

    @property
    def _shard(self) -> int:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SubtaskCall(Call):
    """A call of one subtask; an error is its outcome.

    Attributes:
        subtask: The subtask, as plain JSON.
        body: The same, as it is sent.
    """

    subtask: Any
    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])
    index: int
    shard: int | None

    def start(self, ctx: Context, slots: int, fan_in: FanIn) -> Future:
        """Send the subtask alone."""
        headers = self.headers or None
        return ctx.generic_call(self.service, self.handler, self.body, headers=headers)

    def outcomes(self, answer: bytes) -> Outcomes:
        """The one value."""
        return Outcomes(succeeded=1, values=[from_json(answer)])

    def failed(self, error: TerminalError, *, has_timed_out: bool) -> Outcomes:
        """The one failure."""
        fault = fault_of(error)
        if has_timed_out and self.timeout and is_cancelled(error):
            fault = Fault.timed_out_after(self.timeout)
        return Outcomes(failures=[self._failure(fault)])

    def unfinished(self) -> list[Failure[Any]]:
        """The one subtask."""
        return [self._failure(Fault.unfinished())]

    def _failure(self, fault: Fault) -> Failure[Any]:
        return fault.failure(self.subtask, index=self.index, shard=self.shard)


@dataclass(frozen=True, kw_only=True)
class SliceCall(Call):
    """A call for a slice: of a batch, a segment, a shard or several shards.

    Attributes:
        whole: The slice that this one is cut from.
        start_at, end_at: Which of its items are sent.
        slice_json: How the slice is sent.
        updates: How many reports are wanted for progress, about.
    """

    whole: Slice[Any]
    start_at: int
    end_at: int
    slice_json: Message[Slice[Any]]
    updates: int = 0

    def start(self, ctx: Context, slots: int, fan_in: FanIn) -> Future:
        """Send the slice, with its slots and what is left of the rule."""
        body = self.body(ctx.request().id, slots, fan_in.rest)
        return ctx.generic_call(self.service, self.handler, body)

    def body(self, caller: str, slots: int, rule: Rule) -> bytes:
        """The slice, as it is sent."""
        whole = self.whole
        part = Slice[Any](
            run=whole.run,
            first=whole.first + self.start_at,
            slots=slots,
            items=self._items,
            shard=whole.shard,
            overrides=whole.overrides,
            rule=rule,
            report_request=self._report_request(caller, rule),
        )
        return self.slice_json.serialize(part)

    def unfinished(self) -> list[Failure[Any]]:
        """Its subtasks; shards that are not expanded have none yet."""
        if self.handler in (HandlerName.RUN_SHARD, HandlerName.RUN_SHARDS):
            return []
        first, shard = self.whole.first + self.start_at, self.whole.shard
        known = known_values(self._items)
        return [
            Fault.unfinished().failure(item, index=first + i, shard=shard)
            for i, item in enumerate(self._items)
            if i not in known
        ]

    def _report_request(self, caller: str, rule: Rule) -> ReportRequest | None:
        if not self.is_coordinator:
            return None
        successes, others = rule.report_thresholds
        return ReportRequest(
            to=caller,
            name=str(self.position),
            successes=successes,
            others=others,
            updates=self.updates,
        )

    @property
    def _items(self) -> list[Any]:
        return self.whole.items[self.start_at : self.end_at]

    @property
    def _shard(self) -> int:
        return self.whole.first + self.start_at


@dataclass(frozen=True)
class Calls:
    """The calls of one coordinator.

    Attributes:
        calls: In the order of their items.
        slots: How many slots the coordinator has for them.
        cost: How many slots a call costs at least.
        share: How many slots a call is leased, while there are others to start.
        most: How many slots a call can use.
    """

    calls: Iterator[Call | Known]
    slots: int
    cost: int
    share: int
    most: int
