"""`Coordinator`: makes the calls for a slice, collects outcomes, cancels the losers."""

from typing import Any, Protocol

from restate import Context, TerminalError

from parallelizework.attempts.steps import Steps
from parallelizework.coordination.cancelled_calls import CancelledCalls
from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.reports import SignalReporter
from parallelizework.coordination.window import Events, Window
from parallelizework.definition.definition import Definition
from parallelizework.messages import Outcomes, Slice
from parallelizework.outcomes import CompletionReason
from parallelizework.policy import Overrides
from parallelizework.terminal_errors import is_cancelled


class Reporter(Protocol):
    """Sends to others how far a coordinator has come.

    Attributes:
        is_open: Somebody wants reports now.
    """

    is_open: bool

    def send(self, fan_in: FanIn, returned: int, /) -> None:
        """Send a report, if enough has happened since the last one.

        Args:
            returned: How many slots the coordinator no longer needs.
        """
        ...


class Coordinator:
    """One invocation that executes items by calls, and all that it owns.

    Args:
        overrides: What the request says about the policy.

    Raises:
        TerminalError: 400; the request says what cannot be.
    """

    _grows = True  # whether a caller may lease more slots to this coordinator

    def __init__(
        self, ctx: Context, definition: Definition, overrides: Overrides
    ) -> None:
        self._ctx = ctx
        self._definition = definition
        self._policy = definition.policy_for(overrides)
        self._steps = Steps(ctx, definition, self._policy)
        self._events = Events()
        self._fan_in: FanIn | None = None
        self._deadline_passed = False

    async def _execute(
        self,
        dispatch: SubtaskDispatch,
        slice_: Slice[Any],
        reporter: Reporter,
        total: int | None = None,
    ) -> tuple[CompletionReason, Outcomes]:
        """Execute the items of a slice; no call is in flight afterwards.

        Args:
            total: How many subtasks there are; None where nobody knows.

        Returns:
            Why it has ended, and the outcomes.

        Raises:
            TerminalError: A call ended with an error that is no outcome, or values
                could not be combined.
        """
        combine = self._steps.combine if self._definition.combine else None
        fan_in = self._fan_in = FanIn(slice_.rule, combine, total)
        calls = dispatch.calls(slice_, self._policy)
        window = Window(self._ctx, calls, fan_in, self._events, grows=self._grows)
        cancelled = CancelledCalls(self._ctx, window.in_flight, fan_in)
        reason = CompletionReason.CANCELLED
        try:
            reason = await self._until_ended(window, fan_in, reporter)
        except TerminalError as error:
            if not is_cancelled(error):
                await cancelled.cancel()
                raise
            fan_in.cancel()
        await cancelled.cancel()
        at_deadline = self._answers_at_deadline(fan_in.reason or reason)
        await cancelled.collect(window.unstarted if at_deadline else None)
        return fan_in.reason or reason, await fan_in.outcomes()

    async def _until_ended(
        self, window: Window, fan_in: FanIn, reporter: Reporter
    ) -> CompletionReason:
        """Start calls and wait until the slice has ended; return why.

        A freed slot is used again at once, so a slow call holds back no other.
        """
        while True:
            is_busy = await window.fill()
            if reporter.is_open:
                reporter.send(fan_in, window.returned)
            if fan_in.reason:
                return fan_in.reason
            if not is_busy:
                return CompletionReason.ALL_COMPLETED
            if not self._deadline_passed:
                await self._events.wait()
            if self._deadline_passed:
                return CompletionReason.DEADLINE_EXCEEDED

    def _answers_at_deadline(self, reason: CompletionReason) -> bool:
        """Whether the run answers after its deadline, and names what has not ended.

        An inner coordinator sees only that it was cancelled.
        """
        ends = (CompletionReason.DEADLINE_EXCEEDED, CompletionReason.CANCELLED)
        has_deadline = self._policy.deadline and self._policy.on_deadline == "answer"
        return bool(has_deadline) and reason in ends


class InnerCoordinator(Coordinator):
    """A coordinator that another one called with a slice."""

    def __init__(
        self, ctx: Context, definition: Definition, slice_: Slice[Any]
    ) -> None:
        super().__init__(ctx, definition, slice_.overrides)
        self._slice = slice_

    async def expand(self, size: int) -> None:
        """Replace the shard of the slice by its subtasks.

        Args:
            size: The bytes of the slice with the shard, as JSON.
        """
        this = self._slice
        shard = self._definition.shard_json.typed(this.items[0])
        subtasks = await self._steps.expand(shard, size)
        update = {"first": 0, "shard": this.first, "items": subtasks}
        self._slice = this.model_copy(update=update)

    async def outcomes(self, dispatch: SubtaskDispatch) -> Outcomes:
        """Execute the items of the slice."""
        reporter = SignalReporter(self._ctx, self._slice, dispatch)
        _, outcomes = await self._execute(dispatch, self._slice, reporter)
        return outcomes
