"""The verdict on a run: whether what there is of it makes a result. Pure."""

from restate import TerminalError

from parallelizework.completion import CompletionReason, Counts, Rule
from parallelizework.outcomes import TIMED_OUT, Part, cancelled
from parallelizework.policy import Policy

REASON = "completion_reason"  # in the metadata of a run's error

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
        case _:  # somebody may have cancelled a part that had told of its outcomes
            return found or CompletionReason.CANCELLED


def check(
    policy: Policy, part: Part, reason: CompletionReason, total: int | None
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
            raise _error(_late(policy, part), TIMED_OUT, reason)
        case CompletionReason.FAILURE_TOLERANCE_EXCEEDED:
            raise _failed(part, _intolerable(policy, part, total), reason)
        case CompletionReason.MIN_SUCCESSFUL_UNREACHABLE:
            lead = f"min_successful={policy.min_successful} cannot be reached: "
            raise _failed(part, lead, reason)
        case CompletionReason.FIRST_SETTLED if part.failures:
            raise _failed(part, "race: the first outcome decides: ", reason)
        case _:
            pass


def _late(policy: Policy, part: Part) -> str:
    assert policy.deadline, "only a deadline can pass"
    return (
        f"the deadline of {policy.deadline.total_seconds():g} s has passed: "
        f"{part.succeeded} subtasks had succeeded, {len(part.failures)} had failed"
    )


def _intolerable(policy: Policy, part: Part, total: int | None) -> str:
    """Which tolerance was exceeded; nothing of one that the policy does not mention."""
    failed, count = len(part.failures), policy.tolerated_failure_count
    percentage = policy.tolerated_failure_percentage
    if count is not None and failed > count:
        return f"{failed} failed, {count} are tolerated; first: "
    if percentage is None:
        return ""
    share = _percent(100 * failed / (total or part.counts.settled), percentage)
    return f"{share} % failed, {percentage:g} % are tolerated; first: "


def _percent(share: float, tolerated: float) -> str:
    """A share with as many digits as it takes to see that it is the larger one."""
    texts = [f"{share:.{digits}f}" for digits in range(2, 8)]
    text = next((text for text in texts if float(text) > tolerated), texts[0])
    return text.rstrip("0").rstrip(".")


def _failed(part: Part, lead: str, reason: CompletionReason) -> TerminalError:
    if not part.failures:  # shards that gave fewer subtasks than must succeed
        message = f"{lead}only {part.succeeded} succeeded"
        return _error(message, _BAD_REQUEST, reason)
    first, others = part.failures[0], len(part.failures) - 1
    more = f"; {others} more had failed" if others else ""
    return _error(f"{lead}{first}{more}", first.code, reason)


def _error(message: str, code: int, reason: CompletionReason) -> TerminalError:
    return TerminalError(message, code, metadata={REASON: reason.value})
