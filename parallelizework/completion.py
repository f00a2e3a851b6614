"""The completion rule: whether a run has ended, and why. Pure."""

from enum import StrEnum
from fractions import Fraction

from pydantic import BaseModel, ConfigDict

from parallelizework.policy import Policy

_REPORTS = 256  # how finely a coordinator hears how far those below it have come


class CompletionReason(StrEnum):
    """Why a run ended; the first three of the words are AWS's."""

    ALL_COMPLETED = "ALL_COMPLETED"
    MIN_SUCCESSFUL_REACHED = "MIN_SUCCESSFUL_REACHED"
    FAILURE_TOLERANCE_EXCEEDED = "FAILURE_TOLERANCE_EXCEEDED"
    MIN_SUCCESSFUL_UNREACHABLE = "MIN_SUCCESSFUL_UNREACHABLE"
    FIRST_SETTLED = "FIRST_SETTLED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"


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
        """These, or the others where those are more."""
        return Counts(
            succeeded=max(self.succeeded, other.succeeded),
            failed=max(self.failed, other.failed),
            timed_out=max(self.timed_out, other.timed_out),
            cancelled=max(self.cancelled, other.cancelled),
        )

    @property
    def unsuccessful(self) -> int:
        """How many have failed, in one way or another."""
        return self.failed + self.timed_out + self.cancelled

    @property
    def settled(self) -> int:
        """How many have ended."""
        return self.succeeded + self.unsuccessful


class Rule(BaseModel):
    """When to end, as far as it can be told from counts alone.

    Attributes:
        min_successful: End well with so many successes.
        tolerated: End badly with more failures; None for no bound that is known yet.
        race: End with the first outcome.
    """

    model_config = ConfigDict(frozen=True)

    min_successful: int | None = None
    tolerated: int | None = None
    race: bool = False

    @classmethod
    def of(cls, policy: Policy, total: int | None) -> "Rule":
        """The rule of a policy for a run of `total` subtasks.

        Args:
            total: None while shards are still to be expanded: then nothing is known
                yet that depends on it.
        """
        if policy.race:
            return cls(race=True)
        if policy.min_successful is not None:
            enough = policy.min_successful
            spare = None if total is None else total - enough
            return cls(min_successful=enough, tolerated=spare)
        return cls(tolerated=_tolerated(policy, total))

    def reason(self, counts: Counts) -> CompletionReason | None:
        """Why a run with these counts has ended, or None to go on."""
        if self.race and counts.settled:
            return CompletionReason.FIRST_SETTLED
        if self.min_successful is not None and counts.succeeded >= self.min_successful:
            return CompletionReason.MIN_SUCCESSFUL_REACHED
        if self.tolerated is None or counts.unsuccessful <= self.tolerated:
            return None
        if self.min_successful is None:
            return CompletionReason.FAILURE_TOLERANCE_EXCEEDED
        return CompletionReason.MIN_SUCCESSFUL_UNREACHABLE

    def rest(self, counts: Counts) -> "Rule":
        """The rule for a part of a run, when the whole of it has these counts.

        What ends the part by this rule would end the run.
        """
        enough, spare = self.min_successful, self.tolerated
        return Rule(
            min_successful=None if enough is None else enough - counts.succeeded,
            tolerated=None if spare is None else spare - counts.unsuccessful,
            race=self.race,
        )

    @property
    def steps(self) -> tuple[int, int]:
        """How many successes, and how many others, may go unreported by a part.

        Zero for a kind that ends no run before its parts do.
        """
        enough, spare = self.min_successful or 0, self.tolerated or 0
        return (
            max(1, enough // _REPORTS) if enough > 1 else 0,
            max(1, spare // _REPORTS) if spare else 0,
        )


def _tolerated(policy: Policy, total: int | None) -> int | None:
    """How many failures are tolerated: the lower bound of both, as with AWS."""
    count, percentage = (
        policy.tolerated_failure_count,
        policy.tolerated_failure_percentage,
    )
    bounds: list[int] = []
    if count is not None:
        bounds.append(count)
    if percentage is not None and total is not None:
        bounds.append(int(Fraction(str(percentage)) * total / 100))
    if count is None and percentage is None:
        return 0
    return min(bounds, default=None)
