"""`Coordinator`: makes the calls for a slice, and collects their outcomes."""

from typing import Any, Protocol

from restate import Context, TerminalError

from parallelizework.attempts.steps import Steps
from parallelizework.coordination.cancelled_calls import CancelledCalls
from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.planning.pace import Pace
from parallelizework.coordination.reports import SignalReporter
from parallelizework.coordination.window import Events, Window
from parallelizework.definition.definition import Definition
from parallelizework.messages import Outcomes, Slice, expanded
from parallelizework.outcomes import CompletionReason
from parallelizework.policy import Overrides
from parallelizework.streaming.sender import OutcomesSender
from parallelizework.terminal_errors import fault_of, is_cancelled

_NOTHING = Outcomes()


class Reporter(Protocol):
    """Sends the progress of a coordinator to its caller, or to `FanOutProgress`.

    Attributes:
        is_open: Whether reports are wanted now.
    """

    is_open: bool

    def send(self, fan_in: FanIn, returned: int, /) -> None:
        """Send a report, if enough has happened since the last one.

        Args:
            fan_in: The outcomes of the coordinator so far.
            returned: How many slots the coordinator has returned so far.
        """
        ...


class Coordinator:
    """One invocation that makes calls for items. It owns the state of the invocation.

    Args:
        ctx: The context of the invocation.
        definition: The fan-out.
        overrides: The fields of the policy that the request sets.

    Raises:
        TerminalError: 400; the request's policy is not possible.
    """

    _has_caller = True  # another coordinator, which may lease more slots to this one

    def __init__(
        self, ctx: Context, definition: Definition, overrides: Overrides
    ) -> None:
        self._ctx = ctx
        self._definition = definition
        self._policy = definition.policy_for(overrides)
        self._steps = Steps(ctx, definition, self._policy)
        self._events = Events(ctx)
        self._fan_in: FanIn | None = None
        self._pace = Pace()
        self._deadline_passed = False
        self._streamed = 0  # how many outcomes were sent as they completed

    async def _execute(
        self,
        dispatch: SubtaskDispatch,
        slice_: Slice[Any],
        reporter: Reporter,
        total: int | None = None,
        before: Outcomes = _NOTHING,
    ) -> tuple[CompletionReason, Outcomes]:
        """Execute the items of a slice.

        At the end, all calls have ended or were cancelled.

        Args:
            dispatch: Turns items into calls.
            slice_: The slice.
            reporter: Sends the progress.
            total: The number of subtasks; None if it is unknown.
            before: The outcomes from before a redrive.

        Returns:
            Why the slice has ended, and the outcomes.

        Raises:
            TerminalError: A call ended with an error that is not an outcome, or values
                could not be combined.
        """
        combine = self._steps.combine if self._definition.combine else None
        pace = self._pace
        pace.begin(is_slow=slice_.is_slow, seconds=slice_.seconds)
        sender = self._sender(slice_)
        fan_in = self._fan_in = FanIn(
            slice_.rule,
            combine,
            total=total,
            pace=pace,
            before=before,
            on_outcomes=sender.add if sender else None,
        )
        calls = dispatch.calls(slice_, self._policy, pace)
        window = Window(
            self._ctx, calls, fan_in, self._events, has_caller=self._has_caller
        )
        reason, failed = CompletionReason.CANCELLED, None
        try:
            reason = await self._until_ended(window, fan_in, reporter)
        except TerminalError as error:
            if is_cancelled(error):
                fan_in.cancel()
            else:
                failed = error
        collecting = await self._end_calls(window, fan_in, reason)
        streamed = fan_in.streamed + (sender.flush() if sender else 0)
        self._streamed += streamed
        if error := failed or collecting:
            raise error
        outcomes = await fan_in.outcomes()
        if streamed:
            outcomes = outcomes.model_copy(update={"streamed": streamed})
        return fan_in.reason or reason, outcomes

    def _sender(self, slice_: Slice[Any]) -> OutcomesSender | None:
        """Sends the outcomes as they complete, if the policy says so."""
        if slice_.stream is None:
            return None
        return OutcomesSender(self._ctx, slice_.stream, self._events)

    async def _end_calls(
        self, window: Window, fan_in: FanIn, reason: CompletionReason
    ) -> TerminalError | None:
        """Cancel the calls in flight, and collect what they have.

        Returns:
            The first error that is not an outcome, if any.
        """
        window.close()
        policy = self._policy
        cancelled = CancelledCalls(
            self._ctx, window.in_flight, fan_in, is_redrivable=policy.is_redrivable
        )
        await cancelled.cancel()
        at_deadline = self._answers_at_deadline(fan_in.reason or reason)
        has_rest = policy.is_redrivable or at_deadline
        return await cancelled.collect(window.unstarted if has_rest else None)

    async def _until_ended(
        self, window: Window, fan_in: FanIn, reporter: Reporter
    ) -> CompletionReason:
        """Start calls and wait until the slice has ended; return why it has ended.

        A free slot is used again at once, so a slow call does not delay other calls.
        """
        while True:
            has_calls = await window.fill()
            if reporter.is_open:
                reporter.send(fan_in, window.returned)
            if fan_in.reason:
                return fan_in.reason
            if not has_calls:
                return CompletionReason.ALL_COMPLETED
            if not self._deadline_passed:
                await self._events.wait()
            if self._deadline_passed:
                return CompletionReason.DEADLINE_EXCEEDED

    def _answers_at_deadline(self, reason: CompletionReason) -> bool:
        """Whether the run may answer at its deadline, with its unfinished subtasks.

        At the deadline, `run` cancels its calls. An inner coordinator cannot
        distinguish this from another cancellation. So it adds its unfinished subtasks
        in both cases.
        """
        ends = (CompletionReason.DEADLINE_EXCEEDED, CompletionReason.CANCELLED)
        answers = self._policy.deadline and self._policy.on_deadline == "answer"
        return bool(answers) and reason in ends


class InnerCoordinator(Coordinator):
    """A coordinator that another coordinator called with a slice."""

    def __init__(
        self, ctx: Context, definition: Definition, slice_: Slice[Any]
    ) -> None:
        super().__init__(ctx, definition, slice_.overrides)
        self._slice = slice_

    async def expand(self, size: int) -> None:
        """Replace the shard of the slice by the subtasks of the shard.

        Args:
            size: The size of the slice with the shard as JSON, in bytes.
        """
        slice_, [item] = self._slice, self._slice.items
        indexes: list[int] | None = None
        if known := expanded(item):
            indexes, subtasks = known.indexes, known.subtasks
        else:
            subtasks = await self._steps.expand(item, size)
            if slice_.indexes is not None:  # then the subtasks need indexes too
                indexes = list(range(len(subtasks)))
        update = {"first": 0, "indexes": indexes, "items": subtasks}
        update |= {"shard": slice_.index_of(0)}
        self._slice = slice_.model_copy(update=update)

    async def outcomes(self, dispatch: SubtaskDispatch) -> Outcomes:
        """Execute the items of the slice, and return their outcomes."""
        reporter = SignalReporter(self._ctx, self._slice, dispatch)
        try:
            _, outcomes = await self._execute(dispatch, self._slice, reporter)
        except TerminalError as error:
            if self._fan_in is None or not self._policy.is_redrivable:
                raise
            # A redrive needs the values that exist.
            update = {"error": fault_of(error), "streamed": self._streamed}
            outcomes = self._fan_in.collected().model_copy(update=update)
        if self._slice.shard is None or self._definition.combine:
            return outcomes
        counts = {self._slice.shard: len(outcomes.values)}
        return outcomes.model_copy(update={"shard_values": counts})
