"""The completion rule, and its verdict on a run. Pure."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from pydantic import BaseModel, ConfigDict

from parallelizework.outcomes import TIMED_OUT, CompletionReason, Counts, Failure
from parallelizework.policy import Policy

_BAD_REQUEST = 400
_REPORTS = 256  # of one coordinator that can change the end of a run, about


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
        if self.tolerated is None or _unsuccessful(counts) <= self.tolerated:
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
            tolerated=None if tolerated is None else tolerated - _unsuccessful(counts),
            race=self.race,
        )

    @property
    def report_thresholds(self) -> tuple[int, int]:
        """How many successes, and how many others, a slice may leave unreported.

        Zero for a kind that ends no run before its slices end.
        """
        enough, tolerated = self.min_successful or 0, self.tolerated or 0
        return (
            max(1, enough // _REPORTS) if enough > 1 else 0,
            max(1, tolerated // _REPORTS) if tolerated else 0,
        )


def _unsuccessful(counts: Counts) -> int:
    return counts.failed + counts.timed_out + counts.cancelled


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


def final(
    policy: Policy, counts: Counts, total: int | None, reason: CompletionReason
) -> CompletionReason:
    """Why a run has ended, now that all that it has is there.

    Args:
        counts: Of the outcomes that it has.
        total: How many subtasks there are, if that was known from the split.
        reason: Why its coordinator has ended.
    """
    if reason is CompletionReason.ALL_COMPLETED and total is None:
        total = counts.settled
    found = Rule.of(policy, total).reason(counts)
    match reason:
        case CompletionReason.CANCELLED:
            return reason
        case CompletionReason.DEADLINE_EXCEEDED:
            return found or reason
        case CompletionReason.ALL_COMPLETED if counts.settled == total:
            return found or reason
        case _:  # somebody may have cancelled a slice that had reported its outcomes
            return found or CompletionReason.CANCELLED


def failure_of(
    policy: Policy,
    counts: Counts,
    failures: Sequence[Failure[Any]],
    reason: CompletionReason,
    total: int | None,
) -> tuple[str, int] | None:
    """Why a run has failed, and its status code; None if it has ended well.

    The code is that of the first failure, where a failure was the cause.

    Args:
        total: How many subtasks there are, if that was known from the split.
    """
    match reason:
        case CompletionReason.DEADLINE_EXCEEDED if policy.on_deadline == "fail":
            return _late(policy, counts), TIMED_OUT
        case CompletionReason.FAILURE_TOLERANCE_EXCEEDED:
            return _first(_intolerable(policy, counts, total), counts, failures)
        case CompletionReason.MIN_SUCCESSFUL_UNREACHABLE:
            lead = f"min_successful={policy.min_successful} cannot be reached: "
            return _first(lead, counts, failures)
        case CompletionReason.FIRST_SETTLED if failures:
            return _first("race: the first outcome decides: ", counts, failures)
        case _:
            return None


def _late(policy: Policy, counts: Counts) -> str:
    assert policy.deadline, "only a deadline can pass"
    return (
        f"the deadline of {policy.deadline.total_seconds():g} s has passed: "
        f"{counts.succeeded} subtasks had succeeded, "
        f"{_unsuccessful(counts)} had failed"
    )


def _intolerable(policy: Policy, counts: Counts, total: int | None) -> str:
    """Which tolerance was exceeded; nothing if the policy has none."""
    failed, count = _unsuccessful(counts), policy.tolerated_failure_count
    percentage = policy.tolerated_failure_percentage
    if count is not None and failed > count:
        return f"{failed} failed, {count} are tolerated; first: "
    if percentage is None:
        return ""
    share = _percent(100 * failed / (total or counts.settled), percentage)
    return f"{share} % failed, {percentage:g} % are tolerated; first: "


def _percent(share: float, tolerated: float) -> str:
    """A share with as many digits as it takes to see that it is the larger one."""
    texts = [f"{share:.{digits}f}" for digits in range(2, 8)]
    text = next((text for text in texts if float(text) > tolerated), texts[0])
    return text.rstrip("0").rstrip(".")


def _first(
    lead: str, counts: Counts, failures: Sequence[Failure[Any]]
) -> tuple[str, int]:
    if not failures:  # shards that gave fewer subtasks than must succeed
        return f"{lead}only {counts.succeeded} succeeded", _BAD_REQUEST
    first, others = failures[0], len(failures) - 1
    more = f"; {others} more had failed" if others else ""
    return f"{lead}{first}{more}", first.code
