"""`Turn`: what a batch has done until no time was left. The next turn continues it."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from parallelizework.attempts.retry_schedule import AttemptCounts
from parallelizework.outcomes import Fault

_FIRST = b'{"unfinished":'


class Unfinished(BaseModel):
    """A subtask that had a slot, and had not ended when no time was left.

    Attributes:
        attempts: How many attempts were made so far.
        pause: The time until the next attempt, in seconds.
        left: How much of `subtask_timeout` is left, in seconds; None for no limit.
    """

    model_config = ConfigDict(frozen=True)

    attempts: AttemptCounts
    pause: float
    left: float | None = None

    @property
    def wait(self) -> float:
        """The time until the subtask continues or has timed out, in seconds."""
        wait = self.pause if self.left is None else min(self.pause, self.left)
        return max(0.0, wait)

    def after(self, seconds: float) -> "Unfinished":
        """Return the subtask as it is some seconds later."""
        left = None if self.left is None else self.left - seconds
        pause = max(0.0, self.pause - seconds)
        return self.model_copy(update={"pause": pause, "left": left})


class Turn(BaseModel):
    """What one turn has done, or several, by the positions of the subtasks.

    Attributes:
        unfinished: The subtasks that had a slot. They continue first.
        values: The values, as plain JSON.
        faults: Why other subtasks failed.
        seconds: How long that took.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    unfinished: dict[int, Unfinished] = {}
    values: dict[int, Any] = {}
    faults: dict[int, Fault] = {}
    seconds: float = 0.0

    @property
    def pause(self) -> float:
        """The time until one of the unfinished subtasks continues, in seconds."""
        return min((each.wait for each in self.unfinished.values()), default=0.0)

    def after(self, seconds: float) -> "Turn":
        """Return the turn as it is some seconds later."""
        unfinished = {n: each.after(seconds) for n, each in self.unfinished.items()}
        return self.model_copy(update={"unfinished": unfinished})

    def then(self, other: "Turn") -> "Turn":
        """Return what this turn and the next one have done together."""
        return Turn(
            unfinished=other.unfinished,
            values=self.values | other.values,
            faults=self.faults | other.faults,
            seconds=self.seconds + other.seconds,
        )


def is_turn(body: bytes) -> bool:
    """Return whether this JSON is a turn, and not the outcomes of a batch."""
    return body.startswith(_FIRST)
