"""`Run`: one invocation of `run`, from the task to its result."""

from types import TracebackType
from typing import Any, Self

from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.attempts.durable import Interrupted
from parallelizework.completion import Rule, failure_of, final
from parallelizework.coordination.coordinator import Coordinator
from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.definition.definition import Definition
from parallelizework.labels import labels_in, with_labels
from parallelizework.messages import REASON, Outcomes, Slice
from parallelizework.outcomes import CompletionReason
from parallelizework.policy import requested
from parallelizework.progress.models import State
from parallelizework.progress.reporter import ProgressReporter
from parallelizework.restate_sdk import CONTINUED
from parallelizework.terminal_errors import cancelled, is_cancelled


class Run(Coordinator):
    """A run: split, fan out, aggregate.

    As a context manager, a run sends its end to `FanOutProgress`.

    Args:
        ctx: The context of the invocation.
        definition: The fan-out.
        body: The task, as JSON.

    Raises:
        TerminalError: 400; the body is not a task, or its policy is not possible, or
            the labels in the headers are invalid.
    """

    _has_caller = False

    def __init__(self, ctx: Context, definition: Definition, body: bytes) -> None:
        self._body = body
        self._task = definition.task_json.accept(body)
        self._overrides = definition.executor_overrides | requested(self._task)
        super().__init__(ctx, definition, self._overrides)
        self._items: list[Any] = []
        self._total: int | None = None  # the number of subtasks; None if unknown
        self._reason: CompletionReason | None = None
        labels = _labels(ctx)
        self._name = with_labels(ctx.request().id, labels)  # for logs
        self._progress = ProgressReporter(ctx, definition.name, labels)
        self._events.on(self._progress.opening, self._open)
        if self._policy.deadline:
            self._events.on(ctx.sleep(self._policy.deadline), self._pass_deadline)

    async def split(self) -> list[Any]:
        """Return the items of the task, as plain JSON.

        The list is empty if the deadline passes before `split` has returned.
        """
        size = len(self._body)
        try:
            self._items = await self._steps.split(self._task, size, self._settle)
        except Interrupted as end:
            self._reason = end.reason
        return self._items

    async def fan_out(self, dispatch: SubtaskDispatch, items: list[Any]) -> Outcomes:
        """Execute the items until the completion rule ends the run.

        Returns:
            The outcomes of all subtasks.

        Raises:
            TerminalError: A call ended with an error that is not an outcome; or values
                could not be combined; or there are too few subtasks for the policy.
        """
        has_total = not (self._definition.expand or self._reason)
        self._total = len(items) if has_total else None
        rule = self._rule()
        if self._reason:
            return Outcomes()
        slice_ = Slice[Any](
            run=self._name,
            slots=self._policy.slots,
            items=items,
            overrides=self._overrides,
            rule=rule,
        )
        self._reason, outcomes = await self._execute(
            dispatch, slice_, self._progress, self._total
        )
        return outcomes

    async def aggregate(self, outcomes: Outcomes) -> bytes:
        """Return the result of the run, as JSON.

        Raises:
            TerminalError: The run has failed or was cancelled.
        """
        reason = self._reason or CompletionReason.ALL_COMPLETED
        if outcomes.cancelled:
            reason = CompletionReason.CANCELLED
        policy, counts, total = self._policy, outcomes.counts, self._total
        self._reason = reason = final(policy, counts, total, reason)
        if reason is CompletionReason.CANCELLED:
            raise cancelled()
        if failed := failure_of(policy, counts, outcomes.failures, reason, total):
            raise TerminalError(*failed, metadata={REASON: reason.value})
        return await self._steps.aggregate(outcomes, reason, self._body, self._items)

    def _rule(self) -> Rule:
        """The completion rule.

        Raises:
            TerminalError: 400; there are too few subtasks for `min_successful`.
        """
        needed, total = self._policy.min_successful, self._total
        if needed is not None and total is not None and needed > total:
            raise TerminalError(
                f"min_successful={needed}, but there are {total} subtasks: use a "
                "smaller min_successful, or split the task into more subtasks",
                400,
            )
        return Rule.of(self._policy, total)

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
        elif isinstance(error, Exception) and not isinstance(error, CONTINUED):
            self._end("failed", f"{error!r:.1000}")

    def _end(self, state: State, error: str | None = None) -> None:
        self._progress.end(self._fan_in, state, self._reason, error)

    def _open(self) -> None:
        self._pace.is_slow = True
        self._progress.open(self._fan_in)

    def _pass_deadline(self) -> None:
        self._deadline_passed = True

    async def _settle(self, future: RestateDurableFuture[Any]) -> Any:
        """Wait for a future, and return its result.

        Raises:
            Interrupted: The deadline of the run passed before.
        """
        while not self._deadline_passed:
            if await self._events.wait(future):
                return await future
        raise Interrupted(CompletionReason.DEADLINE_EXCEEDED)


def _labels(ctx: Context) -> dict[str, str]:
    try:
        return labels_in(ctx.request().headers)
    except ValueError as error:
        raise TerminalError(str(error), 400) from error
