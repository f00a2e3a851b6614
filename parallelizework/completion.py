"""The completion rule, and its verdict on a run. Pure."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from pydantic import BaseModel, ConfigDict

from parallelizework.outcomes import TIMED_OUT, CompletionReason, Counts, Failure
from parallelizework.policy import Policy

_BAD_REQUEST = 400
# A slice reports after about 1/256 of the outcomes that would end the run. So its
# caller applies the rule with little delay, and a slice sends few of these reports.
_REPORTS = 256


_BY_FAILURES = (
    CompletionReason.FAILURE_TOLERANCE_EXCEEDED,
    CompletionReason.MIN_SUCCESSFUL_UNREACHABLE,
)


class Rule(BaseModel):
    """The completion rule, as a function of counts alone.

    Attributes:
        min_successful: With this many successes, the run ends and has succeeded.
        tolerated: With more failures than this, the run ends and has failed. None while
            no bound is known.
        race: The run ends with the first outcome.
    """

    model_config = ConfigDict(frozen=True)

    min_successful: int | None = None
    tolerated: int | None = None
    race: bool = False

    @classmethod
    def of(cls, policy: Policy, total: int | None) -> "Rule":
        """Return the rule of a policy for a run.

        Args:
            policy: The policy of the run.
            total: The number of subtasks. None while it is unknown, because shards are
                not expanded yet. Then no bound is set that depends on the total.
        """
        if policy.race:
            return cls(race=True)
        if policy.min_successful is not None:
            needed = policy.min_successful
            tolerated = None if total is None else total - needed
            return cls(min_successful=needed, tolerated=tolerated)
        return cls(tolerated=_tolerated(policy, total))

    def reason(self, counts: Counts) -> CompletionReason | None:
        """Return why a run with these counts has ended; None if the run continues."""
        if self.race and counts.settled:
            return CompletionReason.FIRST_SETTLED
        if self.min_successful is not None and counts.succeeded >= self.min_successful:
            return CompletionReason.MIN_SUCCESSFUL_REACHED
        if self.tolerated is None or _unsuccessful(counts) <= self.tolerated:
            return None
        if self.min_successful is None:
            return CompletionReason.FAILURE_TOLERANCE_EXCEEDED
        return CompletionReason.MIN_SUCCESSFUL_UNREACHABLE

    def has_failed(self, counts: Counts) -> bool:
        """Whether failures have ended a run with these counts. Not for a race."""
        return self.reason(counts) in _BY_FAILURES

    def rest(self, counts: Counts) -> "Rule":
        """Return the rule for a slice that starts when the run has these counts.

        If this rule ends the slice, the rule of the run would end the run.
        """
        needed, tolerated = self.min_successful, self.tolerated
        return Rule(
            min_successful=None if needed is None else needed - counts.succeeded,
            tolerated=None if tolerated is None else tolerated - _unsuccessful(counts),
            race=self.race,
        )

    @property
    def report_thresholds(self) -> tuple[int, int]:
        """After how many successes, and how many other outcomes, a slice reports.

        Zero: outcomes of this kind cannot end the run before their slice has ended.
        """
        needed, tolerated = self.min_successful or 0, self.tolerated or 0
        return (
            max(1, needed // _REPORTS) if needed > 1 else 0,
            max(1, tolerated // _REPORTS) if tolerated else 0,
        )


def _unsuccessful(counts: Counts) -> int:
    return counts.failed + counts.timed_out + counts.cancelled


def _tolerated(policy: Policy, total: int | None) -> int | None:
    """The number of tolerated failures: the lower of both tolerances, as with AWS."""
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
    """Return why a run has ended, from its final counts.

    The rule decides once more, because the final counts may differ from the counts at
    the end of the coordinator. The rule has priority over the coordinator's reason,
    unless somebody cancelled the run.

    Args:
        policy: The policy of the run.
        counts: The final counts, by outcome.
        total: The number of subtasks; None if the split did not determine it.
        reason: Why the coordinator has ended.
    """
    if reason is CompletionReason.ALL_COMPLETED and total is None:
        total = counts.settled
    by_rule = Rule.of(policy, total).reason(counts)
    match reason:
        case CompletionReason.CANCELLED:
            return reason
        case CompletionReason.DEADLINE_EXCEEDED:
            return by_rule or reason
        case CompletionReason.ALL_COMPLETED if counts.settled == total:
            return by_rule or reason
        case _:
            # The coordinator ended by outcomes that a slice reported. If somebody
            # cancelled the slice then, its outcomes are lost and the rule is not met.
            return by_rule or CompletionReason.CANCELLED


def failure_of(
    policy: Policy,
    counts: Counts,
    failures: Sequence[Failure[Any]],
    reason: CompletionReason,
    total: int | None,
) -> tuple[str, int] | None:
    """Return why a run has failed, and a status code; None if the run has succeeded.

    If failures of subtasks are the cause, the code is that of the first failure.

    Args:
        policy: The policy of the run.
        counts: The final counts, by outcome.
        failures: The failures, in the order of the split.
        reason: Why the run has ended.
        total: The number of subtasks; None if the split did not determine it.
    """
    match reason:
        case CompletionReason.DEADLINE_EXCEEDED if policy.on_deadline == "fail":
            return _deadline_message(policy, counts), TIMED_OUT
        case CompletionReason.FAILURE_TOLERANCE_EXCEEDED:
            rule = _exceeded_tolerance(policy, counts, total)
            return _first_failure(rule, counts, failures)
        case CompletionReason.MIN_SUCCESSFUL_UNREACHABLE:
            rule = f"min_successful={policy.min_successful} cannot be reached: "
            return _first_failure(rule, counts, failures)
        case CompletionReason.FIRST_SETTLED if failures:
            rule = "race: the first outcome decides: "
            return _first_failure(rule, counts, failures)
        case _:
            return None


def _deadline_message(policy: Policy, counts: Counts) -> str:
    assert policy.deadline, "only a deadline can pass"
    return (
        f"the deadline of {policy.deadline.total_seconds():g} s has passed: "
        f"{counts.succeeded} subtasks had succeeded, "
        f"{_unsuccessful(counts)} had failed"
    )


def _exceeded_tolerance(policy: Policy, counts: Counts, total: int | None) -> str:
    """The tolerance that was exceeded, for a message; empty if the policy has none."""
    failed, count = _unsuccessful(counts), policy.tolerated_failure_count
    percentage = policy.tolerated_failure_percentage
    if count is not None and failed > count:
        return f"{failed} failed, {count} are tolerated; first: "
    if percentage is None:
        return ""
    share = _percent(100 * failed / (total or counts.settled), percentage)
    return f"{share} % failed, {percentage:g} % are tolerated; first: "


def _percent(share: float, tolerated: float) -> str:
    """A percentage, with enough digits to be visibly larger than the tolerated one."""
    texts = [f"{share:.{digits}f}" for digits in range(2, 8)]
    text = next((text for text in texts if float(text) > tolerated), texts[0])
    return text.rstrip("0").rstrip(".")


def _first_failure(
    rule: str, counts: Counts, failures: Sequence[Failure[Any]]
) -> tuple[str, int]:
    """A message that begins with a rule, and the code of the first failure."""
    if not failures:  # all shards together had fewer subtasks than must succeed
        return f"{rule}only {counts.succeeded} succeeded", _BAD_REQUEST
    first, others = failures[0], len(failures) - 1
    more = f"; {others} more had failed" if others else ""
    return f"{rule}{first}{more}", first.code
