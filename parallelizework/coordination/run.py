"""`Run`: one invocation of `run`, from the task to its result."""

from types import TracebackType
from typing import Any, Self

from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.attempts.durable import Interrupted
from parallelizework.attempts.steps import Steps
from parallelizework.completion import Rule, failure_of, final
from parallelizework.coordination.coordinator import Coordinator
from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.coordination.hold import Hold
from parallelizework.definition.definition import Definition
from parallelizework.messages import REASON, Outcomes, Rest, Slice
from parallelizework.outcomes import CompletionReason
from parallelizework.policy import Policy, requested
from parallelizework.progress.labels import Labels, labels_in, with_labels
from parallelizework.progress.models import State
from parallelizework.progress.reporter import ProgressReporter
from parallelizework.redrive.keep import Keeper
from parallelizework.redrive.models import Selection
from parallelizework.redrive.remains import Remains
from parallelizework.restate_sdk import CONTINUED
from parallelizework.streaming.sender import OutcomesSender
from parallelizework.terminal_errors import cancelled, is_cancelled

# Why a run that has succeeded may have subtasks without a value.
_WITH_FAILURES = (CompletionReason.ALL_COMPLETED, CompletionReason.DEADLINE_EXCEEDED)


_NOTHING = Outcomes()


class WrongSelection(TerminalError):
    """400; a redrive selects what is not possible."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 400)


class Run(Coordinator):
    """A run: split, fan out, aggregate.

    As a context manager, a run sends its end to `FanOutProgress`. If the run has
    failures, it sends to `FanOutRedrive` what a redrive needs.

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
        self._left: Remains | None = None  # what a redrive does not execute
        self._is_executing = False
        self._streamed = 0  # how many outcomes were sent as they completed
        self._deadline: RestateDurableFuture[None] | None = None
        labels = _labels(ctx) or labels or {}
        self._name = with_labels(ctx.request().id, labels)  # for logs
        self._progress = ProgressReporter(ctx, definition.name, redrive_of, labels)
        kept_for = self._policy.redrivable_for
        self._keeper = Keeper(ctx, definition.name, kept_for, redrive_of, labels)
        self._hold = Hold(ctx, self._events, self._keeper)
        self._stream = OutcomesSender(ctx, ctx.request().id, self._events)
        self._events.on(self._progress.opening, self._open)
        if self._policy.stream:
            self._stream.begin()
        self._start_deadline()

    async def split(self) -> list[Any]:
        """Return the items of the task, as plain JSON.

        The list is empty if the deadline passes before `split` has returned.
        """
        size = len(self._body)
        try:
            self._items = await self._steps.split(self._task, size, self._settle)
            self._is_split = True
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
        has_shards = self._definition.expand is not None
        self._total = None if has_shards or self._reason else len(items)
        if items:
            rest = Rest(first=0, are_shards=has_shards, items=items)
            self._outcomes = self._unstarted = Outcomes(rest=[rest])
        rule = self._rule()
        if self._reason:
            return Outcomes()
        self._outcomes = await self._executed(dispatch, self._slice(rule, items))
        return self._outcomes

    async def hold(self, dispatch: SubtaskDispatch, outcomes: Outcomes) -> Outcomes:
        """While the run would fail, wait for a redrive, if the policy says so.

        Returns:
            The outcomes after the last redrive.
        """
        error = self._failure(outcomes) if self._policy.hold else None
        while error and self._policy.hold and not is_cancelled(error):
            self._progress.hold(self._fan_in, self._reason, error.message)
            selection = await self._hold.order(self._policy.hold)
            if selection is None:
                break
            try:
                outcomes = await self.redrive(dispatch, outcomes, selection)
            except WrongSelection as wrong:
                error = wrong
            else:
                error = self._failure(outcomes)
        return outcomes

    async def redrive(
        self, dispatch: SubtaskDispatch, outcomes: Outcomes, selection: Selection
    ) -> Outcomes:
        """Execute subtasks that have no value.

        Args:
            dispatch: Turns items into calls.
            outcomes: The outcomes of all subtasks so far.
            selection: Which subtasks to execute.

        Returns:
            The outcomes of all subtasks, old and new.

        Raises:
            WrongSelection: The selection is not possible. Nothing was executed.
            TerminalError: As for `fan_out`.
        """
        self._outcomes = self._unstarted = outcomes
        remains = Remains.of(outcomes)
        try:
            items, left = remains.selected(selection)
        except LookupError as error:
            raise WrongSelection(f"not a subtask without a value: {error}") from error
        self._set_policy(selection)
        slice_ = self._slice(self._rule(), items.items, items.indexes)
        self._reason, self._left = None, left
        self._progress.restart(self._total, left.succeeded)
        before = Outcomes(succeeded=left.succeeded, values=left.values)
        new = await self._executed(dispatch, slice_, before)
        assert self._fan_in, "subtasks were executed"
        self._fan_in.count_others(left.failures)
        self._outcomes = left.merged(new, combines=self._combines)
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
        self._streamed += outcomes.streamed
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
            round=self._hold.times,
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

    def _set_policy(self, selection: Selection) -> None:
        """Apply the policy of a redrive. The deadline starts again."""
        if selection.policy:
            before = Policy.model_validate(self._overrides)
            changed = before.overridden(selection.policy)
            overrides = changed.model_dump(mode="json", exclude_unset=True)
            try:
                self._policy = self._definition.policy_for(overrides)
            except TerminalError as error:
                raise WrongSelection(error.message) from error
            self._overrides = overrides
            self._steps = Steps(self._ctx, self._definition, self._policy)
        self._start_deadline()

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
        if self._policy.stream:
            self._stream.end(self._streamed)
        is_kept = self._keep(state)
        self._keeper.release(has_succeeded=state == "succeeded", is_kept=is_kept)

    def _keep(self, state: State) -> bool:
        """Keep what a redrive needs; return whether the run can be redriven."""
        if state == "succeeded" and self._reason not in _WITH_FAILURES:
            return False
        outcomes = self._all_outcomes()
        if state == "succeeded" and not (outcomes.failures or outcomes.rest):
            return False
        return self._keeper.keep(
            self._body, outcomes, self._total, is_split=self._is_split
        )

    def _all_outcomes(self) -> Outcomes:
        """The outcomes of all subtasks, also if an error has ended the run.

        In a race, no outcome but the first one counts: a redrive is a new race.
        """
        if self._policy.race:
            return self._unstarted
        if not self._is_executing or self._fan_in is None:
            return self._outcomes
        collected = self._fan_in.collected()
        if self._left is None:
            return collected
        return self._left.merged(collected, combines=self._combines)

    @property
    def _combines(self) -> bool:
        return self._definition.combine is not None

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
