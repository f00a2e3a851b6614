"""`Counts`: how many subtasks have ended, and why a run has ended. Pure."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class CompletionReason(StrEnum):
    """Why a run ended. AWS Step Functions has the first three of these words too."""

    ALL_COMPLETED = "ALL_COMPLETED"
    """Every subtask has an outcome, and no rule ended the run before."""

    MIN_SUCCESSFUL_REACHED = "MIN_SUCCESSFUL_REACHED"
    """`min_successful` subtasks have succeeded."""

    FAILURE_TOLERANCE_EXCEEDED = "FAILURE_TOLERANCE_EXCEEDED"
    """More subtasks failed than the policy tolerates. By default it tolerates none."""

    MIN_SUCCESSFUL_UNREACHABLE = "MIN_SUCCESSFUL_UNREACHABLE"
    """So many subtasks failed that `min_successful` can no longer be reached."""

    FIRST_SETTLED = "FIRST_SETTLED"
    """The first subtask has ended, and the policy has `race=True`."""

    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    """The deadline of the run has passed."""

    CANCELLED = "CANCELLED"
    """Somebody cancelled the run."""


class Counts(BaseModel):
    """How many subtasks have ended, by outcome."""

    model_config = ConfigDict(frozen=True)

    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            succeeded=self.succeeded + other.succeeded,
            failed=self.failed + other.failed,
            timed_out=self.timed_out + other.timed_out,
            cancelled=self.cancelled + other.cancelled,
        )

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(
            succeeded=self.succeeded - other.succeeded,
            failed=self.failed - other.failed,
            timed_out=self.timed_out - other.timed_out,
            cancelled=self.cancelled - other.cancelled,
        )

    def at_least(self, other: "Counts") -> "Counts":
        """Return the larger of both counts, for each outcome."""
        return Counts(
            succeeded=max(self.succeeded, other.succeeded),
            failed=max(self.failed, other.failed),
            timed_out=max(self.timed_out, other.timed_out),
            cancelled=max(self.cancelled, other.cancelled),
        )

    @property
    def settled(self) -> int:
        """How many subtasks have ended, with any outcome."""
        return self.succeeded + self.failed + self.timed_out + self.cancelled
