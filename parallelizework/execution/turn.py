"""`Turn`: what a batch has done until no time was left. The next turn continues it."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from parallelizework.attempts.schedule import Attempts
from parallelizework.outcomes import Fault

_FIRST = b'{"unfinished":'


class Unfinished(BaseModel):
    """A subtask that had a slot, and had not ended when no time was left.

    Attributes:
        attempts: The attempts that were made so far.
        pause: The pause before the next attempt, in seconds.
        left: How much of `subtask_timeout` is left, in seconds; None for no limit.
    """

    model_config = ConfigDict(frozen=True)

    attempts: Attempts
    pause: float
    left: float | None = None

    def after(self, seconds: float) -> "Unfinished":
        """Return the subtask after some seconds of its pause."""
        left = None if self.left is None else self.left - seconds
        return self.model_copy(update={"pause": self.pause - seconds, "left": left})


class Turn(BaseModel):
    """The outcomes of a batch so far, by the positions of its subtasks.

    Attributes:
        unfinished: The subtasks that had a slot. They continue first.
        values: The values, as plain JSON.
        faults: Why other subtasks failed.
        seconds: How long this turn and those before it took.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    unfinished: dict[int, Unfinished]
    values: dict[int, Any]
    faults: dict[int, Fault]
    seconds: float

    @property
    def pause(self) -> float:
        """The time until the first of the unfinished subtasks continues, in seconds."""
        return min((each.pause for each in self.unfinished.values()), default=0.0)

    def after(self, seconds: float) -> "Turn":
        """Return the turn after some seconds of its pause."""
        unfinished = {n: each.after(seconds) for n, each in self.unfinished.items()}
        return self.model_copy(update={"unfinished": unfinished})


def is_turn(body: bytes) -> bool:
    """Return whether this JSON is a turn, and not the outcomes of a batch."""
    return body.startswith(_FIRST)
