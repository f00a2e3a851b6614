"""`FanIn`: the outcomes of a run, in order, combined as they come where they can be."""

from collections.abc import Awaitable, Callable
from typing import Any

from restate import TerminalError

from parallelizework.completion import Rule
from parallelizework.messages import Outcomes
from parallelizework.outcomes import CompletionReason, Counts, Failure, in_order
from parallelizework.terminal_errors import is_cancelled

_FOLD = 16  # values that are held before they are combined
_FOLD_BYTES = 4 * 1024 * 1024  # or only two, if the values reach this size together
_NONE, _NO_OUTCOMES = Counts(), Outcomes()

Combine = Callable[[list[Any]], Awaitable[Any]]


class FanIn:
    """Collects the outcomes of a coordinator's calls.

    Args:
        rule: When they are enough.
        combine: Combines values, as plain JSON, into one; None where the fan-out has no
            `combine`.
        total: How many subtasks there are; None where nobody knows.

    Attributes:
        kept: The outcomes that count. Those that come after the rule has ended the
            run are not among them.
        counts: All subtasks that have ended, also those that are only reported yet.
        reason: Why the run has ended, if it has.
        calls_ended: How many calls have ended.
        failures: Those that count, in order of arrival.
        is_cancelled: The coordinator has been cancelled; nothing is combined any more.
    """

    def __init__(
        self, rule: Rule, combine: Combine | None, total: int | None = None
    ) -> None:
        self.kept: Counts = _NONE
        self.counts: Counts = _NONE
        self.reason: CompletionReason | None = rule.reason(_NONE)
        self.total = total
        self.calls_ended = 0
        self.failures: list[Failure[Any]] = []
        self.is_cancelled = False
        self._rule = rule
        self._is_full = self.reason is not None  # by what is kept alone
        self._combine = combine
        self._reported: dict[int, Counts] = {}
        self._early: dict[int, list[Any]] = {}
        self._next = 0
        self._values: list[Any] = []
        self._bytes = 0  # of the values, as they came
        self._unfinished: list[Failure[Any]] = []

    @property
    def rest(self) -> Rule:
        """The rule for a slice of the run that starts now."""
        return self._rule.rest(self.counts)

    def cancel(self) -> None:
        """End the run, as somebody has cancelled it."""
        self.is_cancelled = True
        self.reason = CompletionReason.CANCELLED

    async def add(self, position: int, outcomes: Outcomes, size: int = 0) -> None:
        """Add the outcomes of the call at `position`, whatever has come before.

        Args:
            size: The bytes that its values take.
        """
        needed, is_same = self._needed(outcomes), self.counts is self.kept
        if needed is outcomes and is_same and outcomes.after_end == _NONE:
            self.kept = self.counts = self.kept + outcomes.counts
        else:
            self.kept = self.kept + needed.counts
            self.counts = self.counts + self._newly_ended(position, outcomes)
        self._check()
        self.failures += needed.failures
        self._unfinished += outcomes.unfinished
        self.calls_ended += 1
        self._bytes += size
        self._early[position] = needed.values
        while self._next in self._early:
            self._values += self._early.pop(self._next)
            self._next += 1
        await self._fold(2 if self._bytes >= _FOLD_BYTES else _FOLD)

    def count_reported(self, position: int, counts: Counts) -> None:
        """Count how far the call at `position` has come."""
        before = self._reported.get(position, _NONE)
        self._reported[position] = counts
        self.counts = self.counts + (counts - before)
        self._check()

    async def outcomes(self) -> Outcomes:
        """All outcomes; no more than one value, where values can be combined."""
        for position in sorted(self._early):
            self._values += self._early.pop(position)
        await self._fold(2)
        return Outcomes(
            succeeded=self.kept.succeeded,
            cancelled=self.is_cancelled,
            values=self._values,
            failures=in_order(self.failures),
            after_end=self.counts - self.kept,
            unfinished=self._unfinished,
        )

    def _newly_ended(self, position: int, outcomes: Outcomes) -> Counts:
        """How many subtasks of a call have ended since its last report."""
        ended = outcomes.counts + outcomes.after_end
        reported = self._reported.pop(position, _NONE)
        return ended.at_least(reported) - reported

    def _check(self) -> None:
        """Set `reason` if the rule ends the run now."""
        reason = self._rule.reason(self.counts)
        is_same = self.kept is self.counts
        self._is_full = bool(reason if is_same else self._rule.reason(self.kept))
        if not self.is_cancelled:
            self.reason = reason

    def _needed(self, outcomes: Outcomes) -> Outcomes:
        """The outcomes that are still needed."""
        if self._is_full:
            return _NO_OUTCOMES
        if self._rule.min_successful is None:
            return outcomes
        return outcomes.first(self._rule.min_successful - self.kept.succeeded)

    async def _fold(self, least: int) -> None:
        if not self._combine or self.is_cancelled or len(self._values) < least:
            return
        try:
            self._values = [await self._combine(self._values)]
            self._bytes = 0
        except TerminalError as error:
            if not is_cancelled(error):
                raise
            self.cancel()  # the values go up as they are
