"""`Run`: one invocation of `run`, from the task to its result."""

from types import TracebackType
from typing import Any, Self

from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.attempts.retries import RunEnded
from parallelizework.completion import Rule, failure_of, final
from parallelizework.coordination.coordinator import Coordinator
from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.definition.definition import Definition
from parallelizework.messages import REASON, Outcomes, Rest, Slice
from parallelizework.observation.observer import run_ended
from parallelizework.outcomes import CompletionReason
from parallelizework.policy import Policy, requested
from parallelizework.progress.labels import Labels, labels_in, with_labels
from parallelizework.progress.models import State
from parallelizework.progress.reporter import ProgressReporter
from parallelizework.restate_sdk import CONTINUED
from parallelizework.streaming.sender import OutcomesSender
from parallelizework.terminal_errors import cancelled, is_cancelled

_NOTHING = Outcomes()


class Run(Coordinator):
    """A run: split, fan out, aggregate.

    As a context manager, a run sends its end to `FanOutProgress`.

    Args:
        ctx: The context of the invocation.
        definition: The fan-out.
        body: The task, as JSON.
        redrive_of: The id of the run that this run redrives, if any.
        labels: The labels of the run, unless the headers of the request have labels.

    Raises:
        TerminalError: 400; the body is not a task, or its policy is not possible, or
            the labels in the headers are invalid.
    """

    _has_caller = False

    def __init__(
        self,
        ctx: Context,
        definition: Definition,
        body: bytes,
        *,
        redrive_of: str | None = None,
        labels: Labels | None = None,
    ) -> None:
        self._body = body
        self._task = definition.task_json.accept(body)
        self._overrides = definition.executor_overrides | requested(self._task)
        super().__init__(ctx, definition, self._overrides)
        self._items: list[Any] = []
        self._is_split = False
        self._total: int | None = None  # the number of subtasks; None if unknown
        self._reason: CompletionReason | None = None
        self._outcomes = Outcomes()  # of all subtasks, before and after they execute
        self._unstarted = Outcomes()  # all subtasks, before they execute
        self._is_executing = False
        self._has_bug = False  # of ours: the outcomes may be wrong
        self._round = 0  # how often subtasks were executed before
        self._deadline: RestateDurableFuture[None] | None = None
        labels = _labels(ctx) or labels or {}
        self._name = with_labels(ctx.request().id, labels)  # for logs
        is_silent = not definition.notify  # the notification has the counts
        self._progress = ProgressReporter(
            ctx, definition.name, redrive_of, labels, is_silent=is_silent
        )
        self._labels = labels
        self._redrive_of = redrive_of
        self._stream = OutcomesSender(ctx, ctx.request().id, self._events)
        self._events.on(self._progress.opening, self._open)
        self._has_stream = False  # whether it has begun: then it must end
        self._begin_stream()
        self._start_deadline()

    async def split(self) -> list[Any]:
        """Return the items of the task, as plain JSON.

        The list is empty if the deadline passes before `split` has returned.
        """
        try:
            self._items = await self._steps.split(self._task, self._body, self._settle)
            self._is_split = True
        except RunEnded as end:
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
        has_shards = self._definition.expand is not None
        self._total = None if has_shards or self._reason else len(items)
        if items:
            rest = Rest(first=0, are_shards=has_shards, items=items)
            self._outcomes = self._unstarted = Outcomes(rest=[rest])
        rule = self._rule(self._policy)
        if self._reason:
            return Outcomes()
        self._outcomes = await self._executed(dispatch, self._slice(rule, items))
        return self._outcomes

    async def aggregate(self, outcomes: Outcomes) -> bytes:
        """Return the result of the run, as JSON.

        Raises:
            TerminalError: The run has failed or was cancelled.
        """
        if failed := self._failure(outcomes):
            raise failed
        assert self._reason, "a run that has not failed has a reason"
        return await self._steps.aggregate(
            outcomes, self._reason, self._body, self._items
        )

    async def _executed(
        self,
        dispatch: SubtaskDispatch,
        slice_: Slice[Any],
        before: Outcomes = _NOTHING,
    ) -> Outcomes:
        self._is_executing = True
        self._reason, outcomes = await self._execute(
            dispatch, slice_, self._progress, self._total, before
        )
        self._is_executing = False
        self._round += 1
        return outcomes

    def _slice(
        self, rule: Rule, items: list[Any], indexes: list[int] | None = None
    ) -> Slice[Any]:
        """The slice with all items that the run executes."""
        if self._policy.stream and indexes is None:
            indexes = list(range(len(items)))
        return Slice[Any](
            run=self._name,
            indexes=indexes,
            slots=self._policy.slots,
            items=items,
            overrides=self._overrides,
            rule=rule,
            round=self._round,
            stream=self._ctx.request().id if self._policy.stream else None,
        )

    def _failure(self, outcomes: Outcomes) -> TerminalError | None:
        """Why the run fails; None if it succeeds. Sets the reason of its end."""
        reason = self._reason or CompletionReason.ALL_COMPLETED
        if outcomes.cancelled:
            reason = CompletionReason.CANCELLED
        policy, counts, total = self._policy, outcomes.counts, self._total
        self._reason = reason = final(policy, counts, total, reason)
        if reason is CompletionReason.CANCELLED:
            return cancelled()
        failed = failure_of(policy, counts, outcomes.failures, reason, total)
        return (
            TerminalError(*failed, metadata={REASON: reason.value}) if failed else None
        )

    def _rule(self, policy: Policy) -> Rule:
        """The completion rule of a policy.

        Raises:
            TerminalError: 400; there are too few subtasks for `min_successful`.
        """
        needed, total = policy.min_successful, self._total
        if needed is not None and total is not None and needed > total:
            raise TerminalError(
                f"min_successful={needed}, but there are {total} subtasks: use a "
                "smaller min_successful, or split the task into more subtasks",
                400,
            )
        return Rule.of(policy, total)

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
            self._has_bug = True
            self._end("failed", f"{error!r:.1000}")

    def _end(self, state: State, error: str | None = None) -> None:
        run_ended(self._definition.name, state)
        self._progress.end(self._fan_in, state, self._reason, error)
        if self._has_stream:
            self._stream.end(self._streamed)

    def _begin_stream(self) -> None:
        if self._policy.stream and not self._has_stream:
            self._has_stream = True
            self._stream.begin()

    def _open(self) -> None:
        self._pace.is_slow = True
        self._progress.open(self._fan_in)

    def _start_deadline(self) -> None:
        self._events.drop(self._deadline)
        self._deadline_passed = False
        if self._policy.deadline:
            self._deadline = self._ctx.sleep(self._policy.deadline)
            self._events.on(self._deadline, self._pass_deadline)

    def _pass_deadline(self) -> None:
        self._deadline_passed = True

    async def _settle(self, future: RestateDurableFuture[Any]) -> Any:
        """Wait for a future, and return its result.

        Raises:
            RunEnded: The deadline of the run passed before.
        """
        while not self._deadline_passed:
            if await self._events.wait(future):
                return await future
        raise RunEnded(CompletionReason.DEADLINE_EXCEEDED)


def _labels(ctx: Context) -> dict[str, str]:
    try:
        return labels_in(ctx.request().headers)
    except ValueError as error:
        raise TerminalError(str(error), 400) from error
