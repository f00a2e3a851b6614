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
