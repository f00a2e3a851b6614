"""What a client gets to know of a run: `Progress`, `Listed`, `FailedSubtask`."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

State = Literal[
    "scheduled", "starting", "running", "paused", "succeeded", "failed", "cancelled"
]
_ENDED = ("succeeded", "failed", "cancelled")
_NOT_RUNNING: dict[str, State] = {
    "scheduled": "scheduled",
    "pending": "starting",
    "ready": "starting",
    "paused": "paused",
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Progress(_Model):
    """How far a run is.

    Attributes:
        run: Its id.
        fan_out: The name of its fan-out.
        state: `scheduled` (it starts later), `starting` (nothing is known but that it
            is there), `running`, `paused`, or how it ended.
        total: How many subtasks it has; None while they are not all known.
        succeeded, failed, timed_out, cancelled: How many have ended, and how.
        percent: Of the total, 0 to 100.
        rate: Subtasks per second.
        eta: Seconds until its end, if it goes on as it does.
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
    percent: float | None = None
    rate: float | None = None
    eta: float | None = None
    started: datetime | None = None
    updated: datetime | None = None
    completion_reason: str | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _ENDED

    @property
    def done(self) -> int:
        """How many subtasks have ended, well or badly."""
        return self.succeeded + self.bad

    @property
    def bad(self) -> int:
        """How many subtasks have ended without a value."""
        return self.failed + self.timed_out + self.cancelled


class FailedSubtask(_Model):
    """A subtask that ended without a value.

    Attributes:
        index: Its position in the split, or in its shard.
        shard: Which shard it is of, where there are shards.
        subtask: What it was to do, as JSON.
        status: `failed`, `timed_out` or `cancelled`.
        message, code: Its error.
        attempts: How often it was tried, where that is known.
    """

    index: int
    status: str
    message: str
    shard: int | None = None
    subtask: JsonValue = None
    code: int | None = None
    attempts: int | None = None


class Invocation(_Model):
    """What Restate itself knows of a run: a row of `sys_invocation`."""

    id: str
    target_service_name: str
    status: str
    created_at: datetime
    modified_at: datetime | None = None
    completion_result: str | None = None
    completion_failure: str | None = None

    @property
    def state(self) -> State:
        """The state in our words."""
        if self.completion_result == "success":
            return "succeeded"
        if self.completion_failure == "[409] cancelled":
            return "cancelled"
        if self.completion_result:
            return "failed"
        return _NOT_RUNNING.get(self.status, "running")

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _ENDED

    @property
    def killed(self) -> bool:
        """Whether it was ended from outside, with nobody left to tell of it."""
        return self.completion_failure == "[409] killed"

    def alone(self) -> Progress:
        """The progress of a run that nothing else is known of."""
        state = "starting" if self.state == "running" else self.state
        return Progress(
            run=self.id,
            fan_out=self.target_service_name,
            state=state,
            started=self.created_at,
            updated=self.modified_at,
            error=self.completion_failure,
        )

    def correct(self, progress: Progress) -> Progress:
        """Progress with what it cannot know: that its run is paused, or was killed."""
        if progress.ended or self.state == "running":
            return progress
        changes = {"state": self.state, "error": self.completion_failure, "eta": None}
        return progress.model_copy(update=changes)


class Listed(_Model):
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
