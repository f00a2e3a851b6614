"""`FanIn`: the outcomes of a run, in order, combined as they come where they can be."""

from collections.abc import Awaitable, Callable
from typing import Any

from restate import TerminalError

from parallelizework.completion import Rule
from parallelizework.messages import Outcomes
from parallelizework.outcomes import CompletionReason, Counts, Failure, in_order
from parallelizework.terminal_errors import is_cancelled

_FOLD = 16  # values that are held before they are combined
_FOLD_BYTES = 4 * 1024 * 1024  # or fewer, if they are as large as that together
_NONE = Counts()

Combine = Callable[[list[Any]], Awaitable[Any]]


class FanIn:
    """Collects the outcomes of a coordinator's calls.

    Args:
        rule: When they are enough.
        combine: Combines values, as plain JSON, into one; None where the fan-out has no
            `combine`.

    Attributes:
        settled: The outcomes that count. Those that come after the rule has ended the
            run are not among them.
        counts: All subtasks that have ended, also those that are only reported yet.
        reason: Why the run has ended, if it has.
        ended: How many calls have ended.
        failures: Those that count, in order of arrival.
        is_cancelled: The coordinator has been cancelled; nothing is combined any more.
    """

    def __init__(self, rule: Rule, combine: Combine | None) -> None:
        self.settled: Counts = _NONE
        self.counts: Counts = _NONE
        self.reason: CompletionReason | None = rule.reason(_NONE)
        self.ended = 0
        self.failures: list[Failure[Any]] = []
        self.is_cancelled = False
        self._rule = rule
        self._is_full = self.reason is not None  # by what is settled alone
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
        self._count(position, outcomes)
        self.ended += 1
        self._bytes += size
        self._unfinished += outcomes.unfinished
        self._early[position] = self._settle(outcomes)
        while self._next in self._early:
            self._values += self._early.pop(self._next)
            self._next += 1
        await self._fold(2 if self._bytes >= _FOLD_BYTES else _FOLD)

    def report(self, position: int, counts: Counts) -> None:
        """Count how far the call at `position` has come."""
        before = self._reported.get(position, _NONE)
        self._reported[position] = counts
        self._change(self.counts + (counts - before))

    def add_unfinished(self, failures: list[Failure[Any]]) -> None:
        """Add subtasks that had not ended at the deadline."""
        self._unfinished += failures

    async def outcomes(self) -> Outcomes:
        """All outcomes; no more than one value, where values can be combined."""
        for position in sorted(self._early):
            self._values += self._early.pop(position)
        await self._fold(2)
        return Outcomes(
            succeeded=self.settled.succeeded,
            cancelled=self.is_cancelled,
            values=self._values,
            failures=in_order(self.failures),
            late=self.counts - self.settled,
            unfinished=self._unfinished,
        )

    def _count(self, position: int, outcomes: Outcomes) -> None:
        """Count what has ended: never less than was reported."""
        ended = outcomes.counts
        if outcomes.late != _NONE:
            ended += outcomes.late
        if reported := self._reported.pop(position, None):
            ended = ended.at_least(reported) - reported
        self._change(self.counts + ended)

    def _change(self, counts: Counts) -> None:
        self.counts = counts
        self.reason = self.reason if self.is_cancelled else self._rule.reason(counts)

    def _settle(self, outcomes: Outcomes) -> list[Any]:
        """Count the outcomes that are still needed, and return their values."""
        if self._is_full:
            return []
        if self._rule.min_successful is not None:
            missing = self._rule.min_successful - self.settled.succeeded
            outcomes = outcomes.first(missing)
        self.settled += outcomes.counts
        self.failures += outcomes.failures
        self._is_full = self._rule.reason(self.settled) is not None
        return outcomes.values

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
