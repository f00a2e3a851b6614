"""`State`: the rounds of a key. Pure."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from parallelizework.events.joins.models import (
    MAX_BYTES,
    MAX_EVENTS,
    Collected,
    JoinReason,
    Round,
    Run,
)

_KEPT_RUNS = 20


class State(BaseModel):
    """What is stored of a key besides its events.

    Attributes:
        number: The number of the current round.
        first, end: The offset of its first event, and the offset after its last event.
        since: The time of its first event, in seconds since 1970; None without events.
        last: The time of its last event, if the join has `quiet_for`.
        size: The size of its events as JSON, in bytes.
        checked: The end of the events for which `until` was called.
        is_checking: Whether `until` is being called.
        problem: The error of `until`, if its last attempt has failed.
        generation: How often the ids of events were forgotten.
        is_kept: Whether a timer will forget the key.
        ended: The latest rounds that have ended.
    """

    model_config = ConfigDict(frozen=True)

    number: int = 1
    first: int = 0
    end: int = 0
    since: float | None = None
    last: float | None = None
    size: int = 0
    checked: int = 0
    is_checking: bool = False
    problem: str | None = None
    generation: int = 0
    is_kept: bool = False
    ended: tuple[Round, ...] = ()

    @property
    def count(self) -> int:
        """How many events the round has."""
        return self.end - self.first

    @property
    def waiting(self) -> list[Round]:
        """The rounds whose run has not started yet."""
        return [each for each in self.ended if each.run is None]

    @property
    def is_full(self) -> bool:
        """Whether the round can have no more events."""
        return self.count >= MAX_EVENTS or self.size >= MAX_BYTES

    def with_event(self, size: int, now: float) -> Self:
        """Return the state after one more event of this size, in bytes."""
        update: dict[str, object] = {"end": self.end + 1, "size": self.size + size}
        if self.since is None:
            update |= {"since": now, "checked": self.first}
        return self.model_copy(update=update | {"last": now})

    def after(self, reason: JoinReason, end: int, now: float) -> Self:
        """Return the state after the end of the round.

        Args:
            reason: Why the round ends.
            end: The offset after its last event. The next events are in the next round.
            now: The time, in seconds since 1970.
        """
        assert self.since is not None, "a round without events does not end"
        ended = Round(
            number=self.number,
            reason=reason,
            first=self.first,
            end=end,
            since=self.since,
        )
        left = self.end - end
        update = {
            "number": self.number + 1,
            "first": end,
            "since": max(now, self.since + 0.000_1) if left else None,
            "size": self.size * left // self.count,
            "checked": end,
            "problem": None,
            "ended": (*self.ended, ended),
        }
        return self.model_copy(update=update)

    def with_round(self, round_: Round) -> Self:
        """Return the state after the start of a run, or after its failure to start."""
        rounds = [
            round_ if each.number == round_.number else each for each in self.ended
        ]
        surplus = len(rounds) - _KEPT_RUNS
        kept = [r for i, r in enumerate(rounds) if i >= surplus or r.run is None]
        return self.model_copy(update={"ended": tuple(kept)})

    @property
    def collected(self) -> Collected:
        """The answer of `get`."""
        runs = [
            Run(
                round=each.number,
                reason=each.reason,
                count=each.end - each.first,
                run=each.run,
                problem=each.problem,
            )
            for each in self.ended
        ]
        return Collected(
            round=self.number,
            count=self.count,
            since=self.since,
            problem=self.problem,
            runs=runs,
        )
