"""The verdict on a run: whether what there is of it makes a result. Pure."""

from restate import TerminalError

from parallelizework.completion import Rule
from parallelizework.messages import REASON, Outcomes
from parallelizework.outcomes import TIMED_OUT, CompletionReason, Counts
from parallelizework.policy import Policy
from parallelizework.terminal_errors import cancelled

_BAD_REQUEST = 400


def attainable(policy: Policy, total: int | None) -> Rule:
    """The rule of a run of `total` subtasks.

    Raises:
        TerminalError: 400; there are too few of them to ever satisfy it.
    """
    enough = policy.min_successful
    if enough is not None and total is not None and enough > total:
        raise TerminalError(
            f"min_successful={enough}, but there are {total} subtasks: lower it, or "
            "split into more",
            _BAD_REQUEST,
        )
    return Rule.of(policy, total)


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


def check(
    policy: Policy, outcomes: Outcomes, reason: CompletionReason, total: int | None
) -> None:
    """Pass if the run has ended well.

    Args:
        total: How many subtasks there are, if that was known from the split.

    Raises:
        TerminalError: It has not; with the status of its first failure, where a
            failure was the cause. The message and the metadata name the rule.
    """
    match reason:
        case CompletionReason.CANCELLED:
            raise cancelled()
        case CompletionReason.DEADLINE_EXCEEDED if policy.on_deadline == "fail":
            raise _error(_late(policy, outcomes), TIMED_OUT, reason)
        case CompletionReason.FAILURE_TOLERANCE_EXCEEDED:
            raise _failed(outcomes, _intolerable(policy, outcomes, total), reason)
        case CompletionReason.MIN_SUCCESSFUL_UNREACHABLE:
            lead = f"min_successful={policy.min_successful} cannot be reached: "
            raise _failed(outcomes, lead, reason)
        case CompletionReason.FIRST_SETTLED if outcomes.failures:
            raise _failed(outcomes, "race: the first outcome decides: ", reason)
        case _:
            pass


def _late(policy: Policy, outcomes: Outcomes) -> str:
    assert policy.deadline, "only a deadline can pass"
    return (
        f"the deadline of {policy.deadline.total_seconds():g} s has passed: "
        f"{outcomes.succeeded} subtasks had succeeded, "
        f"{len(outcomes.failures)} had failed"
    )


def _intolerable(policy: Policy, outcomes: Outcomes, total: int | None) -> str:
    """Which tolerance was exceeded; nothing of one that the policy does not mention."""
    failed, count = len(outcomes.failures), policy.tolerated_failure_count
    percentage = policy.tolerated_failure_percentage
    if count is not None and failed > count:
        return f"{failed} failed, {count} are tolerated; first: "
    if percentage is None:
        return ""
    share = _percent(100 * failed / (total or outcomes.counts.settled), percentage)
    return f"{share} % failed, {percentage:g} % are tolerated; first: "


def _percent(share: float, tolerated: float) -> str:
    """A share with as many digits as it takes to see that it is the larger one."""
    texts = [f"{share:.{digits}f}" for digits in range(2, 8)]
    text = next((text for text in texts if float(text) > tolerated), texts[0])
    return text.rstrip("0").rstrip(".")


def _failed(outcomes: Outcomes, lead: str, reason: CompletionReason) -> TerminalError:
    if not outcomes.failures:  # shards that gave fewer subtasks than must succeed
        message = f"{lead}only {outcomes.succeeded} succeeded"
        return _error(message, _BAD_REQUEST, reason)
    first, others = outcomes.failures[0], len(outcomes.failures) - 1
    more = f"; {others} more had failed" if others else ""
    return _error(f"{lead}{first}{more}", first.code, reason)


def _error(message: str, code: int, reason: CompletionReason) -> TerminalError:
    return TerminalError(message, code, metadata={REASON: reason.value})
