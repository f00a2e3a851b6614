"""`Call`: one call that a coordinator makes, and the outcomes in its answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic_core import from_json
from restate import Context, RestateDurableCallFuture, TerminalError

from parallelizework.completion import Rule
from parallelizework.coordination.fan_in import FanIn
from parallelizework.messages import (
    FullIndex,
    HandlerName,
    Outcomes,
    ReportRequest,
    Rest,
    Slice,
)
from parallelizework.outcomes import Failure, Fault, known_values
from parallelizework.serde.message import Message
from parallelizework.terminal_errors import cancelled, fault_of, is_cancelled
from parallelizework.waiting.models import is_wait, wait_headers

Future = RestateDurableCallFuture[bytes]

CANCEL_GRACE = timedelta(seconds=1)  # how long a cancelled call may take to end


@dataclass(frozen=True)
class Known:
    """A subtask that needs no call, because its value is known (`Done`).

    Attributes:
        position: The position among the calls of the coordinator; 0 for the first.
        value: The value.
        full_indexes: The full index of the subtask, in a redrive.
    """

    position: int
    value: object
    full_indexes: list[FullIndex]

    def without_answer(self) -> Outcomes:
        """Return the outcome of the subtask."""
        return Outcomes(
            succeeded=1, values=[self.value], full_indexes=self.full_indexes
        )


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, for some of the items of a coordinator.

    Attributes:
        position: The position among the calls of the coordinator; 0 for the first.
        service: The name of the called service.
        handler: The called handler.
        is_coordinator: Whether the called handler is a coordinator. Coordinators send
            reports.
        timeout: How long the call may take; None for no limit.
        share: How many slots the call may lease while other calls are left to start.
        most: How many slots the call can use at most.
    """

    position: int
    service: str
    handler: HandlerName
    is_coordinator: bool = False
    timeout: timedelta | None = None
    share: int = 1
    most: int = 1

    def start(self, ctx: Context, slots: int, fan_in: FanIn) -> Future:
        """Make the call.

        Args:
            ctx: The context of the coordinator.
            slots: How many slots the call has.
            fan_in: The outcomes of the coordinator so far.
        """
        raise NotImplementedError

    def outcomes(self, answer: bytes) -> Outcomes:
        """Return the outcomes in an answer."""
        return Outcomes.model_validate_json(answer)

    def wait(self, ctx: Context, answer: bytes) -> Future | None:
        """Make the call that waits for the value, if an answer says so; else None."""
        return None

    def failed(self, error: TerminalError, *, has_timed_out: bool) -> Outcomes:
        """Return the outcomes of a call that ended with an error.

        Args:
            error: The error.
            has_timed_out: The coordinator cancelled the call at its timeout.

        Raises:
            TerminalError: The error is not an outcome of a subtask. It ends the run.
        """
        message = error.message
        if self.handler is HandlerName.RUN_SHARD:
            message = f"shard {self._shard}: {message}"
        if is_cancelled(error):
            message = f"{self.service}/{self.handler} was {error.message}"
        raise TerminalError(message, error.status_code) from error

    def without_answer(self) -> Outcomes:
        """Return the items as items without an outcome: the call has not ended."""
        raise NotImplementedError

    @property
    def report_name(self) -> str:
        """The first part of the names of the reports."""
        return str(self.position)

    @property
    def _shard(self) -> int:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SubtaskCall(Call):
    """A call for one subtask. If the call ends with an error, the subtask has failed.

    Attributes:
        subtask: The subtask, as plain JSON.
        body: The subtask as the bytes that are sent.
        headers: The headers of the call: the name of the subtask, and its policy.
        index: The index of the subtask in the split, or in its shard.
        shard: The index of the shard, if any.
        name: The name of the subtask, if any.
        full_indexes: The full index of the subtask, in a redrive.
    """

    subtask: Any
    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])
    index: int
    shard: int | None
    name: str | None = None
    full_indexes: list[FullIndex] = field(default_factory=list[FullIndex])

    def start(self, ctx: Context, slots: int, fan_in: FanIn) -> Future:
        """Make the call with the subtask as body."""
        headers = self.headers or None
        return ctx.generic_call(self.service, self.handler, self.body, headers=headers)

    def wait(self, ctx: Context, answer: bytes) -> Future | None:
        """Make the call that waits for the value, if the subtask waits; else None."""
        if not is_wait(answer):
            return None
        handler, headers = HandlerName.AWAIT_ANSWER, self.headers | wait_headers(answer)
        return ctx.generic_call(self.service, handler, self.body, headers=headers)

    def outcomes(self, answer: bytes) -> Outcomes:
        """Return the value in the answer.

        Raises:
            TerminalError: The subtask would wait, but its call was cancelled before.
        """
        if is_wait(answer):
            raise cancelled()
        value = from_json(answer)
        return Outcomes(succeeded=1, values=[value], full_indexes=self.full_indexes)

    def failed(self, error: TerminalError, *, has_timed_out: bool) -> Outcomes:
        """Return the failure of the subtask."""
        fault = fault_of(error)
        if has_timed_out and self.timeout and is_cancelled(error):
            fault = Fault.timed_out_after(self.timeout)
        return Outcomes(failures=[self._failure(fault)])

    def without_answer(self) -> Outcomes:
        """Return the subtask as a subtask without an outcome."""
        rest = Rest(first=self.index, shard=self.shard, items=[self.subtask])
        return Outcomes(rest=[rest])

    def _failure(self, fault: Fault) -> Failure[Any]:
        return fault.failure(
            self.subtask, index=self.index, shard=self.shard, name=self.name
        )


@dataclass(frozen=True, kw_only=True)
class SliceCall(Call):
    """A call for a slice: a batch, a segment, a shard or several shards.

    Attributes:
        whole: The coordinator's own slice. The call has a part of its items.
        start_at: The position of the first item of the call in `whole.items`.
        end_at: The position after the last item of the call.
        slice_json: The JSON of slices.
        updates: How many reports are wanted for progress, approximately.
        is_slow: Whether the subtasks of the run end slowly; None if that is not known.
        name_of: Returns the name of an item, if the call is for a batch of a fan-out
            that has `name_of`.
    """

    whole: Slice[Any]
    start_at: int
    end_at: int
    slice_json: Message[Slice[Any]]
    updates: int = 0
    is_slow: bool | None = None
    name_of: Callable[[Any], str | None] | None = None

    def start(self, ctx: Context, slots: int, fan_in: FanIn) -> Future:
        """Make the call with the slice, its slots and the rest of the rule."""
        pace = fan_in.pace
        body = self.body(ctx.request().id, slots, fan_in.rest, pace.seconds)
        return ctx.generic_call(self.service, self.handler, body)

    def body(
        self, caller: str, slots: int, rule: Rule, seconds: float | None = None
    ) -> bytes:
        """Return the slice as the bytes that are sent."""
        whole = self.whole
        slice_ = Slice[Any](
            run=whole.run,
            first=whole.first + self.start_at,
            indexes=whole.indexes_of(self.start_at, self.end_at),
            slots=slots,
            items=self._items,
            names=[self.name_of(item) for item in self._items] if self.name_of else [],
            shard=whole.shard,
            overrides=whole.overrides,
            is_slow=self.is_slow,
            seconds=seconds,
            rule=rule,
            report_request=self._report_request(caller, rule),
            stream=whole.stream,
        )
        return self.slice_json.serialize(slice_)

    def without_answer(self) -> Outcomes:
        """Return the items without an outcome; those that are `Done` have a value."""
        whole = self.whole
        rest = Rest(
            first=whole.first + self.start_at,
            indexes=whole.indexes_of(self.start_at, self.end_at),
            shard=whole.shard,
            are_shards=self.handler in (HandlerName.RUN_SHARD, HandlerName.RUN_SHARDS),
            items=self._items,
        )
        known = {} if rest.are_shards else known_values(self._items)
        if not known:
            return Outcomes(rest=[rest])
        indexes = [index for index, _ in rest.indexed()]
        full_indexes = [(whole.shard, indexes[at]) for at in known]
        left = [at for at in range(len(indexes)) if at not in known]
        others = {
            "indexes": [indexes[at] for at in left],
            "items": [rest.items[at] for at in left],
        }
        return Outcomes(
            succeeded=len(known),
            values=[*known.values()],
            full_indexes=[] if whole.indexes is None else full_indexes,
            rest=[rest.model_copy(update=others)] if left else [],
        )

    def _report_request(self, caller: str, rule: Rule) -> ReportRequest | None:
        if not self.is_coordinator:
            return None
        successes, others = rule.report_thresholds
        return ReportRequest(
            to=caller,
            name=self.report_name,
            successes=successes,
            others=others,
            updates=self.updates,
        )

    @property
    def report_name(self) -> str:
        """The first part of the names of the reports.

        A run that was held has other names in each round. Otherwise a late report of a
        call of an earlier round would count for a call of the same position.
        """
        name = str(self.position)
        return f"{self.whole.round}.{name}" if self.whole.round else name

    @property
    def _items(self) -> list[Any]:
        return self.whole.items[self.start_at : self.end_at]

    @property
    def _shard(self) -> int:
        return self.whole.index_of(self.start_at)


@dataclass(frozen=True)
class Calls:
    """The calls of one coordinator.

    Attributes:
        calls: The calls, in the order of their items.
        slots: How many slots the coordinator has.
        cost: How many slots a call costs at least.
    """

    calls: Iterator[Call | Known]
    slots: int
    cost: int
