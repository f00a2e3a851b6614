"""The messages that `FanOutOutcomes` receives, stores and answers. Pure."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from parallelizework.messages import Outcomes
from parallelizework.outcomes import Failure

NAME = "FanOutOutcomes"

CHUNK = 1_024  # outcomes in one message, at most

_CONFIG = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class Completed(BaseModel):
    """An outcome of a subtask, as soon as it is known.

    Attributes:
        index: The index of the subtask in the split, or in its shard.
        shard: The index of the shard; None without `expand`.
        value: The value; None if the subtask did not succeed.
        failure: Why the subtask did not succeed; None if it succeeded.
    """

    model_config = _CONFIG

    index: int
    shard: int | None = None
    value: Any = None
    failure: Failure[Any] | None = None


class End(BaseModel):
    """The end of a run.

    Attributes:
        count: How many outcomes the run and its coordinators have sent.
    """

    model_config = _CONFIG

    count: int


class State(BaseModel):
    """What is stored of a run besides its outcomes.

    Attributes:
        chunks: The number of messages with outcomes.
        count: The number of outcomes.
        expected: How many outcomes there are in all; None before the end of the run.
    """

    model_config = _CONFIG

    chunks: int = 0
    count: int = 0
    expected: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended, and all of its outcomes have arrived."""
        return self.expected is not None and self.count >= self.expected


class Checked(BaseModel):
    """What a check has seen, whether the outcomes can be forgotten.

    Attributes:
        state: The state at the check.
        times: How many checks in a row have seen this state before.
    """

    model_config = _CONFIG

    state: State
    times: int


class Part(BaseModel):
    """Some outcomes of a run, in order of completion.

    Attributes:
        outcomes: The outcomes, each with its offset. Offsets increase, but are not
            consecutive.
        next: The offset to continue with.
        is_last: Whether no more outcomes follow.
    """

    model_config = _CONFIG

    outcomes: list[tuple[int, Completed]]
    next: int
    is_last: bool


def completed(outcomes: Outcomes) -> list[Completed]:
    """Return the outcomes of one call, one by one; values need full indexes."""
    values = zip(outcomes.full_indexes, outcomes.values, strict=True)
    found = [Completed(index=i, shard=s, value=value) for (s, i), value in values]
    found += [
        Completed(index=failure.index, shard=failure.shard, failure=failure)
        for failure in outcomes.failures
    ]
    return found
