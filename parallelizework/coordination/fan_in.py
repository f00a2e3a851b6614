"""`FanIn`: collects outcomes in the order of the split, and applies the rule."""

from collections.abc import Awaitable, Callable
from typing import Any

from restate import TerminalError

from parallelizework.completion import Rule
from parallelizework.coordination.planning.pace import Pace
from parallelizework.messages import FullIndex, Outcomes, Rest
from parallelizework.outcomes import CompletionReason, Counts, Failure, in_order
from parallelizework.terminal_errors import is_cancelled

_FOLD = 16  # values are combined as soon as there are this many
_FOLD_BYTES = 4 * 1024 * 1024  # large values: as soon as they have this total size
_NO_COUNTS, _NO_OUTCOMES = Counts(), Outcomes()
_NOTHING_REPORTED = _NO_COUNTS, 0

Combine = Callable[[list[Any]], Awaitable[Any]]


class FanIn:
    """Collects the outcomes of a coordinator's calls.

    Calls end in any order. The fan-in puts the values into the order of the split. If
    the fan-out has `combine`, the fan-in combines neighboring values early.

    Two counts exist. `counts` includes outcomes that a slice has only reported: it ends
    the run as soon as possible. `kept` has only outcomes that have arrived and count:
    it decides which values the result has.

    Outcomes that arrive after the rule has failed the run do not count. A redrive needs
    their values, so the fan-in collects these outcomes too.

    Args:
        rule: The completion rule.
        combine: Combines values, as plain JSON, into one value. None for a fan-out
            without `combine`.
        total: The number of subtasks; None if it is unknown.
        pace: Learns how long the subtasks take.
        before: The outcomes from before a redrive; the successes count. If the fan-out
            has `combine`, new values are combined after these values.
        on_outcomes: Is called with the outcomes of each call that count, unless the
            called coordinator has sent them.

    Attributes:
        kept: How many outcomes have arrived and count, by outcome. An outcome that
            arrives after `kept` alone has met the rule does not count.
        counts: How many subtasks have ended, by outcome; includes reported ones.
        reason: Why the run has ended; None while it continues.
        calls_ended: How many calls have ended.
        failures: The failures that count, in order of arrival.
        streamed: How many outcomes the called coordinators have sent.
        waiting: How many subtasks wait for an answer; includes reported ones.
        is_cancelled: Somebody cancelled the coordinator. Nothing is combined any more.
    """

    def __init__(  # noqa: PLR0913 - each is something that a coordinator knows
        self,
        rule: Rule,
        combine: Combine | None,
        *,
        total: int | None = None,
        pace: Pace | None = None,
        before: Outcomes = _NO_OUTCOMES,
        on_outcomes: Callable[[Outcomes], None] | None = None,
    ) -> None:
        start = Counts(succeeded=before.succeeded) if before.succeeded else _NO_COUNTS
        self.kept: Counts = start
        self.counts: Counts = start
        self.reason: CompletionReason | None = rule.reason(start)
        self.total = total
        self.pace = pace or Pace()
        self.calls_ended = 0
        self.failures: list[Failure[Any]] = []
        self.is_cancelled = False
        self.streamed = self.waiting = 0
        self._on_outcomes = on_outcomes
        self._rule = rule
        self._is_full = self.reason is not None  # `kept` alone has met the rule
        self._has_failed = False  # so no value is aggregated
        self._combine = combine
        # By position of the call: how many subtasks have ended, and how many wait.
        self._reported: dict[int, tuple[Counts, int]] = {}
        # Outcomes whose values wait for those of previous calls.
        self._early: dict[int, Outcomes] = {}
        self._next = 0  # the position of the call whose values come next
        # The values of all previous calls, in order, and their full indexes.
        self._values: list[Any] = list(before.values) if combine else []
        self._full_indexes: list[FullIndex] = []
        self._bytes = 0  # the size of the values that were added since the last fold
        self._late_successes = 0
        self._late_failures: list[Failure[Any]] = []
        self._rest: list[Rest] = []
        self._shard_values: dict[int, int] = {}

    @property
    def rest(self) -> Rule:
        """The rule for a slice that starts now."""
        return self._rule.rest(self.counts)

    def cancel(self) -> None:
        """End the run, because somebody has cancelled it."""
        self.is_cancelled = True
        self.reason = CompletionReason.CANCELLED

    async def add(self, position: int, outcomes: Outcomes, size: int = 0) -> None:
        """Add the outcomes of a call. Calls may be added in any order.

        Args:
            position: The position of the call.
            outcomes: Its outcomes.
            size: The size of its values, in bytes.
        """
        if outcomes.seconds is not None:
            self.pace.add(outcomes.seconds)
        needed, is_same = self._needed(outcomes), self.counts is self.kept
        is_late = self._has_failed
        if needed is outcomes and is_same and outcomes.after_end == _NO_COUNTS:
            # The usual case, done fast: nothing was reported, and all outcomes count.
            self.kept = self.counts = self.kept + outcomes.counts
        else:
            self.kept = self.kept + needed.counts
            self.counts = self.counts + self._newly_ended(position, outcomes)
        self._check()
        self.failures += needed.failures
        self.streamed += outcomes.streamed
        if self._on_outcomes and not outcomes.streamed:
            self._on_outcomes(needed)
        self._add_late(outcomes, is_late=is_late)
        self.calls_ended += 1
        self._bytes += size
        self._early[position] = outcomes if is_late else needed
        while self._next in self._early:
            self._append(self._early.pop(self._next))
            self._next += 1
        await self._fold(2 if self._bytes >= _FOLD_BYTES else _FOLD)

    def count_reported(self, position: int, counts: Counts, waiting: int = 0) -> None:
        """Count the subtasks that a call has reported as ended.

        Args:
            position: The position of the call.
            counts: How many of its subtasks have ended so far, by outcome.
            waiting: How many of its subtasks wait for an answer.
        """
        before, waited = self._reported.get(position, _NOTHING_REPORTED)
        self._reported[position] = counts, waiting
        self.waiting += waiting - waited
        self.counts = self.counts + (counts - before)
        self._check()

    def count_others(self, failures: list[Failure[Any]]) -> None:
        """Count failures from before a redrive that the redrive did not execute."""
        if failures:
            others = Outcomes(failures=failures).counts
            self.kept, self.counts = self.kept + others, self.counts + others
            self.failures += failures

    async def outcomes(self) -> Outcomes:
        """Return all outcomes; at most one value if the fan-out has `combine`."""
        self._append_early()
        await self._fold(2)
        return self.collected()

    def collected(self) -> Outcomes:
        """Return all outcomes so far; their values are not combined further."""
        self._append_early()
        return Outcomes(
            succeeded=self.kept.succeeded,
            cancelled=self.is_cancelled,
            values=self._values,
            failures=in_order(self.failures),
            after_end=self.counts - self.kept,
            late_successes=self._late_successes,
            late_failures=self._late_failures,
            rest=self._rest,
            shard_values=self._shard_values,
            full_indexes=self._full_indexes,
            seconds=self.pace.seconds,
        )

    def _add_late(self, outcomes: Outcomes, *, is_late: bool) -> None:
        """Collect what does not count, for a redrive."""
        if is_late:
            self._late_successes += outcomes.succeeded
            self._late_failures += outcomes.failures
        self._late_successes += outcomes.late_successes
        self._late_failures += outcomes.late_failures
        self._rest += outcomes.rest

    def _append(self, outcomes: Outcomes) -> None:
        self._values += outcomes.values
        if self._combine:
            return
        self._full_indexes += outcomes.full_indexes
        for shard, count in outcomes.shard_values.items():
            self._shard_values[shard] = self._shard_values.get(shard, 0) + count

    def _append_early(self) -> None:
        for position in sorted(self._early):
            self._append(self._early.pop(position))

    def _newly_ended(self, position: int, outcomes: Outcomes) -> Counts:
        """How many subtasks of a call have ended since its last report."""
        ended = outcomes.counts + outcomes.after_end
        reported, waiting = self._reported.pop(position, _NOTHING_REPORTED)
        self.waiting -= waiting
        return ended.at_least(reported) - reported

    def _check(self) -> None:
        """Set `reason` if the rule ends the run now."""
        reason = self._rule.reason(self.counts)
        is_same = self.kept is self.counts
        self._is_full = bool(reason if is_same else self._rule.reason(self.kept))
        self._has_failed = self._is_full and self._rule.has_failed(self.kept)
        if not self.is_cancelled:
            self.reason = reason

    def _needed(self, outcomes: Outcomes) -> Outcomes:
        """The outcomes that count: none after the rule is met, no surplus successes."""
        if self._is_full:
            return _NO_OUTCOMES
        if self._rule.min_successful is None:
            return outcomes
        return outcomes.first(self._rule.min_successful - self.kept.succeeded)

    async def _fold(self, min_values: int) -> None:
        """Combine the values into one, if there are at least this many."""
        if not self._combine or self.is_cancelled or len(self._values) < min_values:
            return
        try:
            self._values = [await self._combine(self._values)]
            self._bytes = 0
        except TerminalError as error:
            if not is_cancelled(error):
                raise
            self.cancel()  # the caller receives the values uncombined
