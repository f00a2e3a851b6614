"""`RedrivableRun`: a run that can be held, and that keeps what a redrive needs."""

from functools import cached_property

from restate import TerminalError

from parallelizework.attempts.steps import Steps
from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.coordination.runs.hold import Hold
from parallelizework.coordination.runs.run import Run
from parallelizework.messages import Outcomes
from parallelizework.outcomes import CompletionReason
from parallelizework.policy import Overrides, Policy
from parallelizework.progress.models import State
from parallelizework.redrive.keep import Keeper
from parallelizework.redrive.models import Selection
from parallelizework.redrive.remains import Remains
from parallelizework.terminal_errors import is_cancelled

# Why a run that has succeeded may have subtasks without a value.
_WITH_FAILURES = (CompletionReason.ALL_COMPLETED, CompletionReason.DEADLINE_EXCEEDED)


class WrongSelection(TerminalError):
    """400; a redrive selects what is not possible."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 400)


class RedrivableRun(Run):
    """A run whose subtasks without a value can be executed once more.

    As a context manager, it sends to `FanOutRedrive` what a redrive needs, if the run
    has failures.
    """

    _left: Remains | None = None  # what a redrive does not execute

    @cached_property
    def _keeper(self) -> Keeper:
        return Keeper(self._ctx, self._definition.name, self._redrive_of, self._labels)

    @cached_property
    def _hold(self) -> Hold:
        return Hold(self._ctx, self._events, self._keeper)

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
        if not self._is_split:
            return await self._split_again(dispatch, selection)
        self._outcomes = self._unstarted = outcomes
        remains = Remains.of(outcomes)
        try:
            items, left = remains.selected(selection, self._definition.name_of)
        except LookupError as error:
            raise WrongSelection(f"not a subtask without a value: {error}") from error
        overrides = self._changed(selection)
        self._set_policy(overrides)
        slice_ = self._slice(self._rule(self._policy), items.items, items.indexes)
        self._reason, self._left = None, left
        self._progress.restart(self._total, left.succeeded)
        before = Outcomes(succeeded=left.succeeded, values=left.values)
        new = await self._executed(dispatch, slice_, before)
        assert self._fan_in, "subtasks were executed"
        self._fan_in.count_others(left.failures)
        self._outcomes = left.merged(new, combines=self._combines)
        return self._outcomes

    async def _split_again(
        self, dispatch: SubtaskDispatch, selection: Selection
    ) -> Outcomes:
        """Execute the whole run: `split` had not returned."""
        if selection.indexes or selection.failed_only:
            raise WrongSelection(
                "the run has no subtasks, because split has not returned: redrive it "
                "without a selection"
            )
        self._set_policy(self._changed(selection))
        self._reason = None
        return await self.fan_out(dispatch, await self.split())

    def _failure(self, outcomes: Outcomes) -> TerminalError | None:
        """Why the run fails; also if a redrive has left out shards."""
        failure = super()._failure(outcomes)
        if failure is None and self._left and self._left.shards:
            left_out = len(self._left.shards)
            return TerminalError(f"{left_out} shards were left out of the redrive", 409)
        return failure

    def _changed(self, selection: Selection) -> Overrides:
        """The fields of the policy that are set, with those of a redrive.

        Raises:
            WrongSelection: The policy is not possible.
        """
        if not selection.policy:
            return self._overrides
        before = Policy.model_validate(self._overrides)
        changed = before.overridden(selection.policy)
        overrides = changed.model_dump(mode="json", exclude_unset=True)
        try:
            self._rule(self._definition.policy_for(overrides))
        except TerminalError as error:
            raise WrongSelection(error.message) from error
        return overrides

    def _set_policy(self, overrides: Overrides) -> None:
        """Set the policy of a redrive. The deadline starts again."""
        self._overrides = overrides
        self._policy = self._definition.policy_for(overrides)
        self._steps = Steps(self._ctx, self._definition, self._policy)
        self._begin_stream()
        self._start_deadline()

    def _end(self, state: State, error: str | None = None) -> None:
        super()._end(state, error)
        is_kept = self._keep(state)
        if self._hold.times and not is_kept:
            self._keeper.hold(None)
        self._keeper.release(has_succeeded=state == "succeeded", is_kept=is_kept)

    def _keep(self, state: State) -> bool:
        """Keep what a redrive needs; return whether the run can be redriven."""
        if self._has_bug or (state == "succeeded" and not self._may_have_failures):
            return False
        outcomes = self._all_outcomes()
        if state == "succeeded" and not (outcomes.failures or outcomes.rest):
            return False
        return self._keeper.keep(
            self._body,
            outcomes,
            self._total,
            is_split=self._is_split,
            kept_for=self._policy.redrivable_for,
        )

    @property
    def _may_have_failures(self) -> bool:
        return self._reason in _WITH_FAILURES

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
