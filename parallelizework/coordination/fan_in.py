"""`FanIn`: the outcomes of a run, in order, combined as they come where they can be."""

from collections.abc import Awaitable, Callable
from typing import Any

from restate import TerminalError

from parallelizework.completion import CompletionReason, Counts, Rule
from parallelizework.outcomes import Failure, Part, in_order, is_cancelled

_FOLD = 16  # values that are held before they are combined
_FOLD_BYTES = 4 * 1024 * 1024  # or fewer, if they are as large as that together

Combine = Callable[[list[Any]], Awaitable[Any]]


class FanIn:
    """Collects the outcomes of a coordinator's calls.

    Args:
        rule: When they are enough.
        combine: Folds values, as plain JSON, into one, where the fan-out can.

    Attributes:
        settled: The outcomes that have landed. Those that come after the rule has
            ended the run are not among them.
        counts: All subtasks that have ended, those too of which only a report has come.
        landed: How many calls have ended.
        failures: Those that have landed, as they came.
        unfinished: Those that had not ended at the deadline.
        is_cancelled: The coordinator has been cancelled; nothing is combined any more.
    """

    def __init__(self, rule: Rule, combine: Combine | None) -> None:
        self.settled: Counts = Counts()
        self.counts: Counts = Counts()
        self.landed = 0
        self.failures: list[Failure[Any]] = []
        self.unfinished: list[Failure[Any]] = []
        self.is_cancelled = False
        self._rule = rule
        self._combine = combine
        self._heard: dict[int, Counts] = {}
        self._early: dict[int, list[Any]] = {}
        self._next = 0
        self._values: list[Any] = []
        self._bytes = 0  # of the values, as they came

    @property
    def reason(self) -> CompletionReason | None:
        """Why the run has ended, if it has."""
        if self.is_cancelled:
            return CompletionReason.CANCELLED
        return self._rule.reason(self.counts)

    @property
    def rest(self) -> Rule:
        """The rule for a part of the run that starts now."""
        return self._rule.rest(self.counts)

    async def land(self, position: int, part: Part, size: int = 0) -> None:
        """Take the outcomes of the call at `position`, whatever has come before.

        Args:
            size: The bytes that its values take.
        """
        known = self._heard.pop(position, Counts())
        ended = part.ended.at_least(known)
        part = self._kept(part)
        self.settled += part.counts
        self.counts += ended - known
        self.failures += part.failures
        self.unfinished += part.unfinished
        self.landed += 1
        self._bytes += size
        self._early[position] = part.values
        while self._next in self._early:
            self._values += self._early.pop(self._next)
            self._next += 1
        await self._fold(2 if self._bytes >= _FOLD_BYTES else _FOLD)

    def _kept(self, part: Part) -> Part:
        """What counts of a part that has ended now."""
        if self._rule.reason(self.settled):
            return part.dropped()
        missing = self._rule.rest(self.settled).min_successful
        return part if missing is None else part.first(missing)

    def hear(self, position: int, counts: Counts) -> None:
        """Take note of how far the call at `position` has come."""
        self.counts += counts - self._heard.get(position, Counts())
        self._heard[position] = counts

    async def part(self) -> Part:
        """All that has landed; no more than one value, where they can be combined."""
        for position in sorted(self._early):
            self._values += self._early.pop(position)
        await self._fold(2)
        return Part(
            succeeded=self.settled.succeeded,
            cancelled=self.is_cancelled,
            values=self._values,
            failures=in_order(self.failures),
            late=self.counts - self.settled,
            unfinished=self.unfinished,
        )

    async def _fold(self, least: int) -> None:
        if not self._combine or self.is_cancelled or len(self._values) < least:
            return
        try:
            self._values = [await self._combine(self._values)]
            self._bytes = 0
        except TerminalError as error:
            if not is_cancelled(error):
                raise
            self.is_cancelled = True  # they go on as they are
