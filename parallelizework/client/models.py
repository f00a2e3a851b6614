"""What a client returns of a run: `Progress`, `Listed`, `Failures`, `Paused`."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, JsonValue

from parallelizework.client.server_messages import CANCELLED_IN_SQL, KILLED_IN_SQL
from parallelizework.outcomes import Failure

State = Literal[
    "scheduled", "starting", "running", "paused", "succeeded", "failed", "cancelled"
]
_ENDED = ("succeeded", "failed", "cancelled")
_NOT_RUNNING: dict[str, State] = {"scheduled": "scheduled", "paused": "paused"}


class FrozenModel(BaseModel):
    """A model that does not change once it is made."""

    model_config = ConfigDict(frozen=True)


class Progress(FrozenModel):
    """How far a run is.

    Attributes:
        run: Its id.
        fan_out: The name of its fan-out.
        state: `scheduled` (it starts later), `starting` (nothing is known but that it
            is there), `running`, `paused`, or how it ended.
        total: How many subtasks it has; None while they are not all known.
        succeeded, failed, timed_out, cancelled: How many have ended, and how.
        paused: How many of its calls, most of them subtasks, are paused until `resume`.
        unanswered: The services that it needs and that no worker answers for now. Where
            `FanOutProgress` is one of them, the counts are the last known ones.
        percent: How many of the total have succeeded or failed, 0 to 100.
        rate: Subtasks per second.
        eta: Seconds until its end, at its present rate.
        started, updated: When it began, and when this was true.
        completion_reason: What ended it, such as `ALL_COMPLETED`.
        error: Why it failed.
    """

    run: str
    fan_out: str
    state: State
    total: int | None = None
    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0
    paused: int = 0
    unanswered: tuple[str, ...] = ()
    percent: float | None = None
    rate: float | None = None
    eta: float | None = None
    started: datetime | None = None
    updated: datetime | None = None
    completion_reason: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, found: Mapping[str, object]) -> Self:
        """What FanOutProgress says; to it, what was cancelled counts as done."""
        progress = cls.model_validate(found)
        if progress.total is None:
            return progress
        share = 100 * progress.done / progress.total if progress.total else 100
        return progress.model_copy(update={"percent": round(share, 1)})

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _ENDED

    @property
    def done(self) -> int:
        """How many subtasks have succeeded or failed; cancelled ones are not done."""
        return self.succeeded + self.failed + self.timed_out


FailedSubtask = Failure[JsonValue]
"""A subtask that ended without a value, and what it was to do, as JSON."""


class Failures(list[FailedSubtask]):
    """The first of the subtasks that failed.

    Attributes:
        more: How many others failed, of which nothing else is kept.
    """

    def __init__(self, first: Iterable[FailedSubtask] = (), more: int = 0) -> None:
        super().__init__(first)
        self.more = more

    @classmethod
    def of(cls, first: Iterable[FailedSubtask], progress: Progress) -> Self:
        """Those that are kept, of those that the progress counts."""
        kept = list(first)
        counted = progress.failed + progress.timed_out
        uncounted = sum(failure.status == "cancelled" for failure in kept)
        return cls(kept, max(0, counted - len(kept) + uncounted))


class Paused(FrozenModel):
    """A call of a run that is paused until `resume`.

    Attributes:
        invocation: The invocation id for `restate invocations resume`.
        target: What is held up, such as `Thumbnails/runSubtask`.
        error: The last error; None where somebody has paused it.
        index, shard: Which subtask it is, if it is one.
        subtask: What that was to do, as JSON, if it is not too large.
    """

    invocation: str
    target: str
    error: str | None = None
    index: int | None = None
    shard: int | None = None
    subtask: JsonValue = None


class Invocation(FrozenModel):
    """What Restate itself knows of a run: a row of `sys_invocation`."""

    id: str
    target_service_name: str
    status: str
    journal_size: int = 0
    created_at: datetime
    modified_at: datetime | None = None
    completion_result: str | None = None
    completion_failure: str | None = None

    @property
    def state(self) -> State:
        """The state in our words."""
        if self.completion_result == "success":
            return "succeeded"
        if self.completion_failure == CANCELLED_IN_SQL:
            return "cancelled"
        if self.completion_result:
            return "failed"
        has_begun = self.journal_size > 1  # there is more in it than the task
        return _NOT_RUNNING.get(self.status, "running" if has_begun else "starting")

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _ENDED

    @property
    def killed(self) -> bool:
        """Whether it was ended from outside, with nobody left to tell of it."""
        return self.completion_failure == KILLED_IN_SQL

    def alone(self) -> Progress:
        """The progress of a run that nothing else is known of."""
        return Progress(
            run=self.id,
            fan_out=self.target_service_name,
            state=self.state,
            started=self.created_at,
            updated=self.modified_at,
            error=self.completion_failure,
        )

    def correct(self, progress: Progress) -> Progress:
        """Progress with what it cannot know: that its run is paused, or was killed."""
        if progress.ended or self.state in ("running", "starting"):
            return progress
        changes = {"state": self.state, "error": self.completion_failure, "eta": None}
        return progress.model_copy(update=changes)


class Listed(FrozenModel):
    """A run in a list of runs: its progress, and its age in seconds."""

    run: str
    fan_out: str
    state: State
    age: float
    created: datetime
    progress: Progress

    @classmethod
    def of(cls, invocation: Invocation, progress: Progress) -> "Listed":
        """A run as it is now."""
        age = (datetime.now(UTC) - invocation.created_at).total_seconds()
        return cls(
            run=invocation.id,
            fan_out=invocation.target_service_name,
            state=progress.state,
            age=max(age, 0.0),
            created=invocation.created_at,
            progress=progress,
        )
