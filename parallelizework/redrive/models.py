"""The messages of `FanOutRedrive`, and the request of a redrive. Pure."""

import operator
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from parallelizework.messages import Outcomes
from parallelizework.policy import Policy

NAME = "FanOutRedrive"

_CONFIG = ConfigDict(frozen=True, ser_json_inf_nan="constants")

RunId = Annotated[str, StringConstraints(pattern=r"^inv_[A-Za-z0-9]+$")]
_Number = Annotated[int, Field(strict=True, ge=0)]
# With `expand`: the index of the shard, and the index in the shard.
Index = _Number | tuple[_Number, _Number]


class Selection(BaseModel):
    """Which of the subtasks without a value a redrive executes.

    Attributes:
        failed_only: Only those that have failed or timed out, not those that were
            cancelled or never started.
        indexes: Only these, by index. With `expand`: `[shard, index]`.
        policy: The fields of the policy that the redrive overrides.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    failed_only: bool = False
    indexes: list[Index] | None = Field(default=None, min_length=1)
    policy: Policy | None = None


class RedriveRequest(Selection):
    """The request of a redrive.

    Attributes:
        run: The id of the run to redrive.
    """

    run: RunId


class Kept(BaseModel):
    """What is kept of a run. The outcomes are in pieces.

    Attributes:
        fan_out: The name of the fan-out.
        task: The task, as JSON.
        is_split: Whether `split` has returned its list. Otherwise a redrive splits.
        total: The number of subtasks; None if it is unknown.
        pieces: The number of pieces.
        succeeded: How many subtasks have succeeded.
        kept_for: How long the run is kept.
        labels: The labels of the run. JSON has this field only if there are labels.
        first: The first piece, in the message of the run. Each other piece has its own
            message.
    """

    model_config = _CONFIG

    fan_out: str
    task: str
    is_split: bool
    total: int | None
    pieces: int
    succeeded: int
    kept_for: timedelta
    labels: dict[str, str] = Field(default={}, exclude_if=operator.not_)
    first: Outcomes | None = None


class Piece(BaseModel):
    """A part of the outcomes that are kept of a run.

    Attributes:
        number: The number of the piece; 0 for the first.
        outcomes: The outcomes.
    """

    model_config = _CONFIG

    number: int
    outcomes: Outcomes


class ClaimRequest(BaseModel):
    """A redrive claims a run: no other redrive may execute its subtasks meanwhile.

    Attributes:
        by: The id of the redrive.
        fan_out: The name of the fan-out of the redrive.
        instead_of: The id of a redrive that was killed, and that had claimed the run.
    """

    model_config = _CONFIG

    by: str
    fan_out: str
    instead_of: str | None = None


class Claim(BaseModel):
    """The answer to a claim.

    Attributes:
        status: What the redrive has to do. `claimed`: redrive the run. `unknown`: not
            everything that is kept of the run has arrived. `held`: the run executes
            itself what has no value. `taken`: wait for the redrive `by`. `moved`: the
            redrive `by` has ended with failures; redrive it instead. `succeeded`: the
            redrive `by` has succeeded.
        kept: What is kept of the run.
        by: The id of the other redrive.
    """

    model_config = _CONFIG

    status: Literal["claimed", "unknown", "held", "taken", "moved", "succeeded"]
    kept: Kept | None = None
    by: str = ""


class Release(BaseModel):
    """The end of a redrive.

    Attributes:
        by: The id of the redrive.
        has_succeeded: Whether the redrive has succeeded.
        is_kept: Whether the redrive itself can be redriven.
    """

    model_config = _CONFIG

    by: str
    has_succeeded: bool
    is_kept: bool


class Redriven(BaseModel):
    """The latest redrive that has claimed a run.

    Attributes:
        by: The id of the redrive; empty before the first one.
        redrives: How many redrives of the run have ended.
        has_ended: Whether this redrive has ended.
        has_succeeded: Whether it has succeeded.
        is_kept: Whether it can itself be redriven.
    """

    model_config = _CONFIG

    by: str = ""
    redrives: int = 0
    has_ended: bool = False
    has_succeeded: bool = False
    is_kept: bool = False

    @property
    def is_redriving(self) -> bool:
        """Whether a redrive has begun and has not ended."""
        return bool(self.by) and not self.has_ended

    def claim(self, request: ClaimRequest, kept: Kept) -> Claim:
        """Return the answer to a claim."""
        if self.by in ("", request.by, request.instead_of):
            return Claim(status="claimed", kept=kept)
        if self.is_redriving:
            return Claim(status="taken", by=self.by)
        if self.is_kept:
            return Claim(status="moved", by=self.by)
        if self.has_succeeded:
            return Claim(status="succeeded", by=self.by)
        return Claim(status="claimed", kept=kept)

    def claimed(self, request: ClaimRequest) -> "Redriven":
        """Return the state after a claim."""
        return Redriven(by=request.by, redrives=self.redrives)

    def released(self, end: Release) -> "Redriven":
        """Return the state after the end of a redrive."""
        return Redriven(
            by=self.by,
            redrives=self.redrives + 1,
            has_ended=True,
            has_succeeded=end.has_succeeded,
            is_kept=end.is_kept,
        )


class Order(BaseModel):
    """What a held run does next.

    Attributes:
        redrive: Which subtasks the run executes again; None to end the run.
    """

    model_config = _CONFIG

    redrive: Selection | None


class Hold(BaseModel):
    """A run is held.

    Attributes:
        fan_out: The name of the fan-out.
        number: How often the run was held before; None if it is no longer held.
    """

    model_config = _CONFIG

    fan_out: str
    number: int | None


class Redrivable(BaseModel):
    """Whether a run can be redriven.

    Attributes:
        run: The id of the run.
        fan_out: The name of the fan-out.
        is_held: Whether the run waits for a redrive.
        succeeded: How many subtasks have succeeded; None while the run is held.
        total: The number of subtasks; None if it is unknown.
        redriven_by: The id of the latest redrive of the run; empty if there is none.
        is_redriving: Whether this redrive has not ended.
        is_completed: Whether this redrive has succeeded, and nothing is left.
        is_moved: Whether this redrive has ended with failures: redrive it instead.
        redrives: How many redrives of the run have ended.
        pieces: The number of pieces that `read` returns.
    """

    model_config = _CONFIG

    run: str
    fan_out: str
    is_held: bool = False
    succeeded: int | None = None
    total: int | None = None
    redriven_by: str = ""
    is_redriving: bool = False
    is_completed: bool = False
    is_moved: bool = False
    redrives: int = 0
    pieces: int = 0
