"""What `FanOutSchedule` receives, stores and returns. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

NAME = "FanOutSchedule"
STATE = "schedule"  # the key of the state that `list` reads by SQL
LABEL = "schedule"  # each run of a schedule has this label
UNKNOWN_FAN_OUT = "no worker serves a fan-out"  # the start of an error message

MAX_RUNNING = 100  # runs at once, with `overlap="allow"`
MAX_QUEUED = 1_000  # times that wait: the state of a schedule stays small
MAX_MISSED = 100  # missed times that run, with `missed="all"`
MAX_BACKFILL = 1_000  # times of one backfill
KEPT_RUNS = 20
LATE = timedelta(minutes=1)  # `missed="skip"` starts no run that is later
_SHOWN = 300  # characters of an error

Overlap = Literal["skip", "queue", "replace", "allow"]
Missed = Literal["one", "all", "skip"]
Cause = Literal["schedule", "trigger", "backfill"]
_Short = Annotated[str, Field(min_length=1, max_length=256)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class SchedulePlan(_Frozen):
    """When a schedule starts runs, and of what; without the task.

    Attributes:
        cron: A cron expression with five fields; or a shorthand such as `@daily`; or an
            interval such as `every 30s`.
        fan_out: The name of the fan-out.
        zone: The time zone of the cron expression.
        overlap: What happens at a time while an earlier run has not ended. `skip`: no
            run. `queue`: the run starts afterwards. `replace`: the earlier run is
            cancelled, and the run starts after its end. `allow`: the run starts.
        missed: What happens after an outage to the times that were missed. `one`: the
            latest one runs. `all`: all run, the latest 100 at most. `skip`: none runs
            that is more than a minute late.
        time_field: The field of the task that receives the time of the run, as an ISO
            8601 text in the time zone; None for no field.
        owner: Who has set the schedule, such as the name of a file; None for nobody.
    """

    cron: _Short
    fan_out: _Short
    zone: _Short = "UTC"
    overlap: Overlap = "skip"
    missed: Missed = "one"
    time_field: _Short | None = None
    owner: _Short | None = None


class Spec(SchedulePlan):
    """A schedule as a caller sets it.

    Attributes:
        task: The task of each run.
    """

    model_config = ConfigDict(extra="forbid")

    task: JsonValue


class Period(_Frozen):
    """The period of a backfill.

    Attributes:
        start: The first time that may run.
        end: The end of the period. A time at the end does not run.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    start: AwareDatetime = Field(alias="from")
    end: AwareDatetime = Field(alias="to")


class Due(_Frozen):
    """A time at which a run starts.

    Attributes:
        time: The time.
        cause: Why the run starts.
        key: The idempotency key of the run.
    """

    time: datetime
    cause: Cause
    key: str


class ScheduledRun(_Frozen):
    """A run that a schedule has started.

    Attributes:
        run: The run's id; None if no worker served the fan-out.
        time: The time for which the run was started.
        cause: `schedule`, `trigger` or `backfill`.
        state: `running`, `succeeded`, `failed` or `cancelled`.
        ended: When the end of the run was noted; None before.
        error: The error of a run that failed, its first 300 characters.
    """

    run: str | None
    time: datetime
    cause: Cause = "schedule"
    state: Literal["running", "succeeded", "failed", "cancelled"] = "running"
    ended: datetime | None = None
    error: str | None = None


class SavedSchedule(_Frozen):
    """The answer of `set`.

    Attributes:
        status: `created`, `changed` or `unchanged`.
        next: The next time; None while the schedule is paused.
    """

    status: Literal["created", "changed", "unchanged"]
    next: datetime | None


class Triggered(_Frozen):
    """The answer of `trigger`.

    Attributes:
        run: The run's id; None if the run starts after the end of another run.
    """

    run: str | None


class Backfilled(_Frozen):
    """The answer of `backfill`.

    Attributes:
        times: How many times run.
    """

    times: int


class Start(_Frozen):
    """The message that starts a run.

    Attributes:
        fan_out: The name of the fan-out.
        task: The task as JSON.
        key: The idempotency key of the run.
    """

    fan_out: str
    task: str
    key: str


class Tick(_Frozen):
    """The message that a time has come."""

    time: datetime


class End(_Frozen):
    """The message that a run has ended."""

    run: str
    state: Literal["succeeded", "failed", "cancelled"]
    error: str | None = None

    @classmethod
    def failed(cls, run: str, message: str) -> Self:
        """The end of a run that failed."""
        return cls(run=run, state="failed", error=message[:_SHOWN])


class Schedule(_Frozen):
    """A schedule, with its next time and its runs.

    Attributes:
        name: The name of the schedule.
        plan: When the schedule starts runs, and of what.
        task: The task of each run; None in the answer of `list`.
        is_paused: Whether the schedule starts no runs until `resume`.
        next: The next time; None while the schedule is paused.
        last: The latest time that was handled; None before the first.
        running: The runs that have not ended, the oldest first.
        queue: The times that wait for the end of a run, the first one first.
        runs: The last 20 runs that have ended, the latest first.
        skipped: How many times had no run because of `overlap`.
        missed: How many times had no run because of `missed`; 1,000 at most are counted
            for one outage.
    """

    name: str
    plan: SchedulePlan
    task: JsonValue = None
    is_paused: bool = False
    next: datetime | None = None
    last: datetime | None = None
    running: Sequence[ScheduledRun] = ()
    queue: Sequence[Due] = ()
    runs: Sequence[ScheduledRun] = ()
    skipped: int = 0
    missed: int = 0


class ScheduleState(Schedule):
    """A schedule as the virtual object stores it. The task has a state of its own.

    Attributes:
        generation: The id of this version of the plan.
        timer: The invocation id of the next tick.
    """

    generation: str
    timer: str | None = None

    def with_changes(self, **changes: object) -> Self:
        """Return this schedule with other values of some attributes."""
        return self.model_copy(update=changes)

    @property
    def running_ids(self) -> list[str]:
        """The ids of the runs that have not ended."""
        return [run.run for run in self.running if run.run]

    @property
    def is_full(self) -> bool:
        """Whether another run must wait for the end of a run."""
        most = MAX_RUNNING if self.plan.overlap == "allow" else 1
        return len(self.running) >= most

    def started(self, run: ScheduledRun) -> Self:
        """Return this schedule after the start of a run."""
        return self.with_changes(running=(*self.running, run))

    def not_started(self, due: Due, error: str) -> Self:
        """Return this schedule after a run could not be started."""
        failed = ScheduledRun(
            run=None,
            time=due.time,
            cause=due.cause,
            state="failed",
            error=error[:_SHOWN],
        )
        return self.with_changes(runs=(failed, *self.runs)[:KEPT_RUNS])

    def ended(self, end: End, now: datetime) -> Self:
        """Return this schedule after the end of a run."""
        ended = [
            run.model_copy(
                update={"state": end.state, "error": end.error, "ended": now}
            )
            for run in self.running
            if run.run == end.run
        ]
        return self.with_changes(
            running=tuple(run for run in self.running if run.run != end.run),
            runs=(*ended, *self.runs)[:KEPT_RUNS],
        )
