"""The messages that a join receives, stores and answers. Pure.

A key collects events in rounds. The events of a key have offsets: 0 for the first one.
A round is a range of offsets.

1. `add` stores an event under a state key of its own. If the round has enough events,
   or if a timer ends the round, the next round begins with the next event.
2. `add` does not read the earlier events. If `until` is a function, `add` sends
   `check`, which reads the events and calls the function. While one `check` runs, `add`
   sends no other one. `check` sends its result to `checked`.
3. The end of a round sends `start`. `start` reads the events, calls `task`, and sends
   the task to the fan-out. Then `start` sends the id of the run to `started`, which
   removes the events.

`check` and `start` are shared handlers. So the key accepts events while the functions
of the user run.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

MAX_EVENTS = 10_000  # of a round
MAX_BYTES = 8 * 1024 * 1024  # of the events of a round, without the last one
MAX_EVENT_BYTES = 1024 * 1024
MAX_ID = 512  # characters
MAX_WAITING = 1_000  # rounds of one key whose run has not started
_KEPT_RUNS = 20

_CONFIG = ConfigDict(frozen=True)


class JoinReason(StrEnum):
    """Why a round of a join has ended."""

    ENOUGH = "ENOUGH"
    """`until` was reached: the number of events, or the function returned True."""

    EXPIRED = "EXPIRED"
    """`within` has passed since the first event."""

    QUIET = "QUIET"
    """No event has come for `quiet_for`."""

    CLOSED = "CLOSED"
    """Somebody called `close`."""

    FULL = "FULL"
    """The round has reached 10,000 events, or 8 MiB."""


class Added(BaseModel):
    """The answer of `add`.

    Attributes:
        is_duplicate: Whether an event with the same id was added before. Then the event
            does not count.
        count: How many events the round has.
    """

    model_config = _CONFIG

    is_duplicate: bool
    count: int


class Round(BaseModel):
    """A round that has ended.

    Attributes:
        number: The number of the round; 1 for the first one of the key.
        reason: Why the round has ended.
        first, end: The offset of its first event, and the offset after its last event.
        since: The time of its first event, in seconds since 1970.
        run: The id of its run; None if the run has not started yet.
        problem: Why the run cannot start, if that is so.
    """

    model_config = _CONFIG

    number: int
    reason: JoinReason
    first: int
    end: int
    since: float
    run: str | None = None
    problem: str | None = None


class Timer(BaseModel):
    """A rule that ends a round later.

    Attributes:
        since: The time of the first event of the round, which identifies the round.
        reason: The rule.
    """

    model_config = _CONFIG

    since: float
    reason: JoinReason


class Check(BaseModel):
    """The events for which `until` has to be called.

    Attributes:
        since: The time of the first event of the round, which identifies the round.
        first, end: The events of the round, as offsets.
        checked: The end of the events for which `until` was called before.
    """

    model_config = _CONFIG

    since: float
    first: int
    end: int
    checked: int


class Checked(BaseModel):
    """What `check` has found.

    Attributes:
        check: The request.
        end: The end of the first events that are enough; None if they are not enough.
        problem: The error of `until`, if its last attempt has failed.
    """

    model_config = _CONFIG

    check: Check
    end: int | None = None
    problem: str | None = None


class Discard(BaseModel):
    """The events that a run has received.

    Attributes:
        first, end: The offsets.
    """

    model_config = _CONFIG

    first: int
    end: int


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

    model_config = _CONFIG

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

    def with_event(self, size: int, now: float) -> "State":
        """Return the state after one more event of this size, in bytes."""
        update: dict[str, object] = {"end": self.end + 1, "size": self.size + size}
        if self.since is None:
            update |= {"since": now, "checked": self.first}
        return self.model_copy(update=update | {"last": now})

    def after(self, reason: JoinReason, end: int, now: float) -> "State":
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

    def with_round(self, round_: Round) -> "State":
        """Return the state after the start of a run, or after its failure to start."""
        rounds = [
            round_ if each.number == round_.number else each for each in self.ended
        ]
        surplus = len(rounds) - _KEPT_RUNS
        kept = [r for i, r in enumerate(rounds) if i >= surplus or r.run is None]
        return self.model_copy(update={"ended": tuple(kept)})


class Run(BaseModel):
    """A round that has ended, for the answer of `get`.

    Attributes:
        round: The number of the round.
        reason: Why the round has ended.
        count: How many events it had.
        run: The id of its run; None if the run has not started yet.
        problem: Why the run cannot start, if that is so.
    """

    model_config = _CONFIG

    round: int
    reason: JoinReason
    count: int
    run: str | None
    problem: str | None


class Collected(BaseModel):
    """The answer of `get`.

    Attributes:
        round: The number of the current round.
        count: How many events it has.
        since: The time of its first event, in seconds since 1970; None without events.
        problem: The error of `until`, if its last attempt has failed.
        runs: The latest rounds that have ended, and their runs.
    """

    model_config = _CONFIG

    round: int
    count: int
    since: float | None
    problem: str | None
    runs: list[Run]

    @classmethod
    def of(cls, state: State) -> "Collected":
        """Return what `get` answers."""
        runs = [
            Run(
                round=each.number,
                reason=each.reason,
                count=each.end - each.first,
                run=each.run,
                problem=each.problem,
            )
            for each in state.ended
        ]
        return cls(
            round=state.number,
            count=state.count,
            since=state.since,
            problem=state.problem,
            runs=runs,
        )
