"""The error of a failed run names the completion rule that ended the run."""

from typing import Any

import pytest

from parallelizework.completion import failure_of
from parallelizework.messages import Outcomes
from parallelizework.outcomes import CompletionReason, Failure
from parallelizework.policy import Policy

EXCEEDED = CompletionReason.FAILURE_TOLERANCE_EXCEEDED


def outcomes_of(succeeded: int, failed: int) -> Outcomes:
    failures = [
        Failure[Any](index=n, subtask=n, status="failed", message="oops", code=418)
        for n in range(failed)
    ]
    return Outcomes(succeeded=succeeded, failures=failures)


@pytest.mark.parametrize(
    ("policy", "outcomes", "total", "lead"),
    [
        (Policy(), outcomes_of(3, 1), 9, "subtask 0 failed: oops"),
        (
            Policy(tolerated_failure_count=0),
            outcomes_of(3, 1),
            9,
            "1 failed, 0 are tolerated; first: subtask 0",
        ),
        (
            Policy(tolerated_failure_percentage=1),
            outcomes_of(0, 297),
            10_000,
            "2.97 % failed, 1 % are tolerated; first: subtask 0",
        ),
        (
            Policy(tolerated_failure_percentage=33.33),
            outcomes_of(2, 1),
            None,
            "33.333 % failed, 33.33 % are tolerated; first: subtask 0",
        ),
        (
            Policy(tolerated_failure_count=5, tolerated_failure_percentage=10),
            outcomes_of(3, 2),
            10,
            "20 % failed, 10 % are tolerated; first: subtask 0",
        ),
    ],
)
def test_a_failed_run_says_which_tolerance_was_exceeded(
    policy: Policy, outcomes: Outcomes, total: int | None, lead: str
) -> None:
    counts, failures = outcomes.counts, outcomes.failures
    failed = failure_of(policy, counts, failures, EXCEEDED, total)

    assert failed
    message, code = failed
    assert message.startswith(lead)
    assert code == 418
