"""`Run`: one invocation of `run`, from the task to its result."""

from types import TracebackType
from typing import Any, Self

from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.attempts.durable import Interrupted
from parallelizework.coordination.coordinator import Coordinator
from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.verdict import attainable, check, final
from parallelizework.definition.definition import Definition
from parallelizework.messages import Outcomes, Slice
from parallelizework.outcomes import CompletionReason, Counts
from parallelizework.policy import requested
from parallelizework.progress.models import State
from parallelizework.progress.reporter import ProgressReporter
from parallelizework.terminal_errors import is_cancelled


class Run(Coordinator):
    """A run: split, fan out, aggregate.

    As a context manager, it sends to `FanOutProgress` how it has ended.

    Args:
        body: The task, as JSON.

    Raises:
        TerminalError: 400; the body is no task, or its policy says what cannot be.
    """

    _grows = False

    def __init__(self, ctx: Context, definition: Definition, body: bytes) -> None:
        self._body = body
        self._task = definition.task_json.accept(body)
        self._overrides = definition.said | requested(self._task)
        super().__init__(ctx, definition, self._overrides)
        self._items: list[Any] = []
        self._total: int | None = None  # of subtasks, where it is known
        self._reason: CompletionReason | None = None
        self._progress = ProgressReporter(ctx, definition.name)
        self._events.on(self._progress.opening, self._open)
        if self._policy.deadline:
            self._events.on(ctx.sleep(self._policy.deadline), self._pass_deadline)

    async def split(self) -> list[Any]:
        """The items of the task, as plain JSON; none if the deadline passes before."""
        size = len(self._body)
        try:
            self._items = await self._steps.split(self._task, size, self._settle)
        except Interrupted as end:
            self._reason = end.reason
        return self._items

    async def fan_out(self, dispatch: SubtaskDispatch, items: list[Any]) -> Outcomes:
        """The outcomes of the items, when the completion rule has ended the run.

        Raises:
            TerminalError: A call ended with an error that is no outcome, or values
                could not be combined.
        """
        has_total = not (self._definition.expand or self._reason)
        self._total = len(items) if has_total else None
        rule = attainable(self._policy, self._total)
        if self._reason:
            return Outcomes()
        slice_ = Slice[Any](
            run=self._ctx.request().id,
            slots=self._policy.slots,
            items=items,
            overrides=self._overrides,
            rule=rule,
        )
        self._reason = await self._execute(dispatch, slice_)
        assert self._fan_in, "it has been executed"
        return await self._fan_in.outcomes()

    async def aggregate(self, outcomes: Outcomes) -> bytes:
        """The result, as JSON.

        Raises:
            TerminalError: The run has failed.
        """
        reason = self._reason or CompletionReason.ALL_COMPLETED
        if outcomes.cancelled:
            reason = CompletionReason.CANCELLED
        policy, total = self._policy, self._total
        self._reason = reason = final(policy, outcomes.counts, total, reason)
        check(policy, outcomes, reason, total)
        return await self._steps.aggregate(outcomes, reason, self._body, self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._end("succeeded")
        elif isinstance(error, TerminalError):
            state = "cancelled" if is_cancelled(error) else "failed"
            self._end(state, error.message)

    def _end(self, state: State, error: str | None = None) -> None:
        counts = self._fan_in.counts if self._fan_in else Counts()
        if self._reason is CompletionReason.ALL_COMPLETED:
            self._total = counts.settled
        if self._total is not None:  # what has no outcome by now has been cancelled
            counts += Counts(cancelled=self._total - counts.settled)
        failures = self._fan_in.failures if self._fan_in else []
        reason, total = self._reason, self._total
        self._progress.end(state, counts, failures, total, reason=reason, error=error)

    def _report(self, fan_in: FanIn, returned: int) -> None:
        self._progress.update(fan_in.counts, fan_in.failures, self._total)

    def _open(self) -> None:
        counts = self._fan_in.counts if self._fan_in else Counts()
        failures = self._fan_in.failures if self._fan_in else []
        self._progress.open(counts, failures, self._total)

    def _pass_deadline(self) -> None:
        self._is_late = True

    async def _settle(self, future: RestateDurableFuture[Any]) -> Any:
        """The result of a future.

        Raises:
            Interrupted: The deadline of the run passed before.
        """
        while not await self._events.wait(future):
            if self._is_late:
                raise Interrupted(CompletionReason.DEADLINE_EXCEEDED)
        return await future
