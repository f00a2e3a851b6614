"""What a client returns about runs: `Progress`, `Listed`, `Failures`, `Paused`."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, JsonValue

from parallelizework.client.server_messages import CANCELLED_IN_SQL, KILLED_IN_SQL
from parallelizework.outcomes import CompletionReason, Failure

State = Literal[
    "scheduled",
    "starting",
    "running",
    "paused",
    "held",
    "succeeded",
    "failed",
    "cancelled",
]
_ENDED = ("succeeded", "failed", "cancelled")
_NOT_RUNNING: dict[str, State] = {"scheduled": "scheduled", "paused": "paused"}


class FrozenModel(BaseModel):
    """The base class of our models, which are immutable."""

    model_config = ConfigDict(frozen=True)


class Progress(FrozenModel):
    """The progress of a run: its state and the counts of its subtasks.

    Attributes:
        run: The run's id.
        fan_out: The name of the fan-out.
        state: `scheduled` (it starts after a delay), `starting` (it has reported
            nothing yet), `running`, `paused`, `held` (it waits for a redrive),
            `succeeded`, `failed` or `cancelled`.
        total: The number of subtasks; None while it is not known.
        succeeded: The number of subtasks that have succeeded.
        failed: The number of subtasks that have failed.
        timed_out: The number of subtasks that have timed out.
        cancelled: The number of subtasks that were cancelled.
        paused: The number of calls, mostly subtasks, that are paused until `resume`.
        unanswered: The names of services that the run needs and for which no worker
            answers. If `FanOutProgress` is one of them, the counts may be outdated.
        percent: The share of subtasks that have succeeded, failed or timed out, in
            percent (0 to 100); None while `total` is not known.
        rate: Subtasks per second; None if it is not known.
        eta: The time until the end of the run at the present rate, in seconds; None if
            it is not known.
        started: When the run began.
        updated: When this progress was reported.
        completion_reason: Which rule ended the run, such as `ALL_COMPLETED`.
        error: The error message of a run that failed or is held.
        redrive_of: The id of the run that this run redrives; None for other runs.
        labels: The labels of the run; none before it has started.
        waiting: The number of subtasks that wait for an answer from outside.
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
    redrive_of: str | None = None
    labels: Mapping[str, str] = {}
    waiting: int = 0

    @classmethod
    def of(cls, found: Mapping[str, object]) -> Self:
        """The progress in an answer of FanOutProgress.

        The percentage is computed again, as that of FanOutProgress includes the
        cancelled subtasks.
        """
        progress = cls.model_validate(found)
        if progress.total is None:
            return progress
        share = 100 * progress.done / progress.total if progress.total else 100
        return progress.model_copy(update={"percent": round(share, 1)})

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return self.state in _ENDED

    @property
    def done(self) -> int:
        """The number of subtasks that have succeeded, failed or timed out."""
        return self.succeeded + self.failed + self.timed_out


FailedSubtask = Failure[JsonValue]
"""A subtask that failed, timed out or was cancelled; `subtask` is a JSON value."""


class Failures(list[FailedSubtask]):
    """A list of the first subtasks that failed.

    Attributes:
        more: The number of further failures. Only their number is stored.
    """

    def __init__(self, first: Iterable[FailedSubtask] = (), more: int = 0) -> None:
        super().__init__(first)
        self.more = more

    @classmethod
    def of(cls, first: Iterable[FailedSubtask], progress: Progress) -> Self:
        """The failures that are stored, and the number of others in the progress."""
        stored = list(first)
        counted = progress.failed + progress.timed_out
        uncounted = sum(failure.status == "cancelled" for failure in stored)
        return cls(stored, max(0, counted - len(stored) + uncounted))


class Paused(FrozenModel):
    """A call of a run that is paused until `resume`.

    Attributes:
        invocation: The invocation id, for example for `restate invocations resume`.
        target: The service and the handler, such as `Thumbnails/runSubtask`.
        error: The error that paused the call; None if a user paused it.
        index: The index of the subtask; None if the call is not a subtask.
        shard: The index of the subtask's shard; None without `expand`.
        name: The name of the subtask; None if it has no name.
        subtask: The subtask as a JSON value; None if the call is not a subtask, or if
            the subtask is larger than 64 KiB.
    """

    invocation: str
    target: str
    error: str | None = None
    index: int | None = None
    shard: int | None = None
    name: str | None = None
    subtask: JsonValue = None


class Invocation(FrozenModel):
    """A run as Restate knows it: a row of `sys_invocation`."""

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
        """The state, as `Progress` names it."""
        if self.completion_result == "success":
            return "succeeded"
        if self.completion_failure == CANCELLED_IN_SQL:
            return "cancelled"
        if self.completion_result:
            return "failed"
        has_begun = self.journal_size > 1  # the first entry is the task
        return _NOT_RUNNING.get(self.status, "running" if has_begun else "starting")

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return self.state in _ENDED

    @property
    def killed(self) -> bool:
        """Whether it was killed: then it has not reported its end."""
        return self.completion_failure == KILLED_IN_SQL

    def alone(self, succeeded: int | None = None) -> Progress:
        """The progress of a run of which FanOutProgress has no record.

        Args:
            succeeded: The number of subtasks, if they have all succeeded.
        """
        progress = Progress(
            run=self.id,
            fan_out=self.target_service_name,
            state=self.state,
            started=self.created_at,
            updated=self.modified_at,
            error=self.completion_failure,
        )
        if succeeded is None:
            return progress
        counts = {"total": succeeded, "succeeded": succeeded, "percent": 100.0}
        reason = {"completion_reason": CompletionReason.ALL_COMPLETED.value}
        return progress.model_copy(update=counts | reason)

    def correct(self, progress: Progress) -> Progress:
        """Correct a progress where FanOutProgress does not know the state.

        A run that is paused or was killed cannot report that.
        """
        if progress.ended or self.state in ("running", "starting"):
            return progress
        changes = {"state": self.state, "error": self.completion_failure, "eta": None}
        return progress.model_copy(update=changes)


class Listed(FrozenModel):
    """A run in the list that `recent` returns.

    Attributes:
        run: The run's id.
        fan_out: The name of the fan-out.
        state: The state, as in `Progress`.
        age: The time since the run was submitted, in seconds.
        created: When the run was submitted.
        progress: The progress of the run.
        labels: The labels of the run; none before it has started.
    """

    run: str
    fan_out: str
    state: State
    age: float
    created: datetime
    progress: Progress
    labels: Mapping[str, str] = {}

    @classmethod
    def of(cls, invocation: Invocation, progress: Progress) -> "Listed":
        """The entry for a run."""
        age = (datetime.now(UTC) - invocation.created_at).total_seconds()
        return cls(
            run=invocation.id,
            fan_out=invocation.target_service_name,
            state=progress.state,
            age=max(age, 0.0),
            created=invocation.created_at,
            progress=progress,
            labels=progress.labels,
        )
