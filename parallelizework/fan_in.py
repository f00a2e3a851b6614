"""`FanIn`: the outcomes of a run, in order, combined as they come where they can be."""

from collections.abc import Awaitable, Callable
from typing import Any

from parallelizework.outcome import Failure, Part
from parallelizework.rule import CompletionReason, Counts, Rule

_FOLD = 16  # values that are held before they are combined

Combine = Callable[[list[Any]], Awaitable[Any]]


class FanIn:
    """Collects the outcomes of a coordinator's calls.

    Args:
        rule: When they are enough.
        combine: Folds values, as plain JSON, into one, where the fan-out can.

    Attributes:
        settled: The outcomes that have landed. Those that come after the rule has
            ended the run are not among them.
        counts: The same, with those that have been heard of.
        landed: How many calls have ended.
        failures: Those that have landed, as they came.
    """

    def __init__(self, rule: Rule, combine: Combine | None) -> None:
        self.settled: Counts = Counts()
        self.counts: Counts = Counts()
        self.landed = 0
        self.failures: list[Failure[Any]] = []
        self._rule = rule
        self._combine = combine
        self._heard: dict[int, Counts] = {}
        self._early: dict[int, list[Any]] = {}
        self._next = 0
        self._values: list[Any] = []

    @property
    def reason(self) -> CompletionReason | None:
        """Why the run has ended, if it has."""
        return self._rule.reason(self.counts)

    @property
    def rest(self) -> Rule:
        """The rule for a part of the run that starts now."""
        return self._rule.rest(self.counts)

    async def land(self, place: int, part: Part) -> None:
        """Take the outcomes of the call at `place`, whatever has come before."""
        if self._rule.reason(self.settled):
            part = Part()
        elif (missing := self._rule.rest(self.settled).min_successful) is not None:
            part = part.first(missing)
        self.settled += part.counts
        self.counts += part.counts - self._heard.pop(place, Counts())
        self.failures += part.failures
        self.landed += 1
        self._early[place] = part.values
        while self._next in self._early:
            self._values += self._early.pop(self._next)
            self._next += 1
        await self._fold(_FOLD)

    def hear(self, place: int, counts: Counts) -> None:
        """Take note of how far the call at `place` has come."""
        self.counts += counts - self._heard.get(place, Counts())
        self._heard[place] = counts

    async def part(self) -> Part:
        """All that has landed; no more than one value, where they can be combined."""
        for place in sorted(self._early):
            self._values += self._early.pop(place)
        await self._fold(2)
        return Part(
            succeeded=self.settled.succeeded,
            values=self._values,
            failures=sorted(self.failures, key=lambda f: (f.shard or 0, f.index)),
        )

    async def _fold(self, least: int) -> None:
        if self._combine and len(self._values) >= least:
            self._values = [await self._combine(self._values)]
