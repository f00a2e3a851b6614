"""The verdict on a run: whether what there is of it makes a result. Pure."""

from restate import TerminalError

from parallelizework.outcome import TIMED_OUT, Part, cancelled
from parallelizework.policy import Policy
from parallelizework.rule import CompletionReason, Counts, Rule

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


def check(policy: Policy, part: Part, reason: CompletionReason) -> None:
    """Pass if the run has ended well.

    Raises:
        TerminalError: It has not; with the status of its first failure, where a
            failure was the cause.
    """
    match reason:
        case CompletionReason.CANCELLED:
            raise cancelled()
        case CompletionReason.DEADLINE_EXCEEDED if policy.on_deadline == "fail":
            raise TerminalError(_late(policy, part), TIMED_OUT)
        case CompletionReason.FAILURE_TOLERANCE_EXCEEDED:
            raise _failed(part, "")
        case CompletionReason.MIN_SUCCESSFUL_UNREACHABLE:
            lead = f"min_successful={policy.min_successful} cannot be reached: "
            raise _failed(part, lead)
        case CompletionReason.FIRST_SETTLED if part.failures:
            raise _failed(part, "")
        case _:
            pass


def _late(policy: Policy, part: Part) -> str:
    assert policy.deadline, "only a deadline can pass"
    return (
        f"the deadline of {policy.deadline.total_seconds():g} s has passed: "
        f"{part.succeeded} subtasks had succeeded, {len(part.failures)} had failed"
    )


def _failed(part: Part, lead: str) -> TerminalError:
    if not part.failures:  # shards that gave fewer subtasks than must succeed
        return TerminalError(f"{lead}only {part.succeeded} succeeded", _BAD_REQUEST)
    first, others = part.failures[0], len(part.failures) - 1
    more = f"; {others} more had failed" if others else ""
    return TerminalError(f"{lead}{first}{more}", first.code)
