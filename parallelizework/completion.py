"""The completion rule: whether a run has ended, and why. Pure."""

from fractions import Fraction

from pydantic import BaseModel, ConfigDict

from parallelizework.outcomes import CompletionReason, Counts
from parallelizework.policy import Policy

_REPORTS = 256  # how many reports of one coordinator can change the end of a run


class Rule(BaseModel):
    """When to end, as far as counts alone decide.

    Attributes:
        min_successful: End well with this many successes.
        tolerated: End badly with more failures; None where no bound is known yet.
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
                yet that depends on the total.
        """
        if policy.race:
            return cls(race=True)
        if policy.min_successful is not None:
            enough = policy.min_successful
            tolerated = None if total is None else total - enough
            return cls(min_successful=enough, tolerated=tolerated)
        return cls(tolerated=_tolerated(policy, total))

    def reason(self, counts: Counts) -> CompletionReason | None:
        """Why a run with these counts has ended, or None if it continues."""
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
        """The rule for a slice of a run, when the whole of the run has these counts.

        What ends the slice by this rule would end the run.
        """
        enough, tolerated = self.min_successful, self.tolerated
        return Rule(
            min_successful=None if enough is None else enough - counts.succeeded,
            tolerated=None if tolerated is None else tolerated - counts.unsuccessful,
            race=self.race,
        )

    @property
    def steps(self) -> tuple[int, int]:
        """How many successes, and how many others, a slice may leave unreported.

        Zero for a kind that ends no run before its slices end.
        """
        enough, tolerated = self.min_successful or 0, self.tolerated or 0
        return (
            max(1, enough // _REPORTS) if enough > 1 else 0,
            max(1, tolerated // _REPORTS) if tolerated else 0,
        )


def _tolerated(policy: Policy, total: int | None) -> int | None:
    """How many failures are tolerated: the lower bound of both, as with AWS."""
    count = policy.tolerated_failure_count
    percentage = policy.tolerated_failure_percentage
    if count is None and percentage is None:
        return 0
    bounds: list[int] = []
    if count is not None:
        bounds.append(count)
    if percentage is not None and total is not None:
        bounds.append(int(Fraction(str(percentage)) * total / 100))
    return min(bounds, default=None)
