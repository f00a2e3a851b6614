"""The completion rule: a pure function of counts."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from parallelizework.completion import Rule
from parallelizework.outcomes import CompletionReason, Counts
from parallelizework.policy import Policy

COUNTS = st.builds(Counts, succeeded=st.integers(0, 50), failed=st.integers(0, 50))
RULES = st.builds(
    Rule,
    min_successful=st.none() | st.integers(1, 50),
    tolerated=st.none() | st.integers(0, 50),
    race=st.booleans(),
)
BAD = {
    CompletionReason.FAILURE_TOLERANCE_EXCEEDED,
    CompletionReason.MIN_SUCCESSFUL_UNREACHABLE,
}


@pytest.mark.parametrize(
    ("policy", "total", "succeeded", "failed", "reason"),
    [
        (Policy(), 3, 3, 0, None),
        (Policy(), 3, 1, 1, "FAILURE_TOLERANCE_EXCEEDED"),
        (Policy.all_settled(), 3, 0, 3, None),
        (Policy(tolerated_failure_count=1), 3, 0, 1, None),
        (Policy(tolerated_failure_count=1), 3, 0, 2, "FAILURE_TOLERANCE_EXCEEDED"),
        (Policy(tolerated_failure_percentage=10), 19, 0, 1, None),
        (Policy(tolerated_failure_percentage=10), 19, 9, 2, BAD),
        (Policy(tolerated_failure_percentage=29), 100, 0, 29, None),
        (Policy(tolerated_failure_percentage=10), None, 0, 90, None),
        (
            Policy(tolerated_failure_percentage=10, tolerated_failure_count=1),
            100,
            0,
            2,
            "FAILURE_TOLERANCE_EXCEEDED",
        ),
        (Policy.first_successful(), 3, 0, 2, None),
        (Policy.first_successful(), 3, 1, 2, "MIN_SUCCESSFUL_REACHED"),
        (Policy.first_successful(), 3, 0, 3, "MIN_SUCCESSFUL_UNREACHABLE"),
        (Policy.quorum(2), 3, 1, 1, None),
        (Policy.quorum(2), 3, 2, 0, "MIN_SUCCESSFUL_REACHED"),
        (Policy.quorum(2), 3, 0, 2, "MIN_SUCCESSFUL_UNREACHABLE"),
        (Policy.quorum(2), None, 0, 99, None),
        (Policy.first_settled(), 3, 0, 0, None),
        (Policy.first_settled(), 3, 0, 1, "FIRST_SETTLED"),
        (Policy.first_settled(), 3, 1, 0, "FIRST_SETTLED"),
        (Policy.all_successful(), 0, 0, 0, None),
    ],
)
def test_each_policy_ends_a_run_when_it_should(
    policy: Policy, total: int | None, succeeded: int, failed: int, reason: Any
) -> None:
    counts = Counts(succeeded=succeeded, failed=failed)

    found = Rule.of(policy, total).reason(counts)

    assert found in reason if reason is BAD else found == reason


@given(RULES, COUNTS, COUNTS)
def test_an_end_is_final(rule: Rule, counts: Counts, more: Counts) -> None:
    if rule.reason(counts):
        assert rule.reason(counts + more)


@given(RULES, COUNTS, COUNTS)
def test_a_rule_that_ends_a_slice_ends_the_run(
    rule: Rule, before: Counts, in_slice: Counts
) -> None:
    if not rule.reason(before):
        assert bool(rule.rest(before).reason(in_slice)) <= bool(
            rule.reason(before + in_slice)
        )


@pytest.mark.parametrize(
    ("total", "percentage", "failed"),
    [(1_000, 2.3, 23), (1_000, 0.7, 7), (1_000, 33.3, 333), (500, 4.6, 23)],
)
def test_a_percentage_is_a_decimal_number(
    total: int, percentage: float, failed: int
) -> None:
    rule = Rule.of(Policy(tolerated_failure_percentage=percentage), total)

    assert rule.reason(Counts(failed=failed)) is None
    assert rule.reason(Counts(failed=failed + 1)) is not None


@given(st.integers(1, 1_000), st.floats(0, 100), st.integers(0, 1_000))
def test_a_percentage_is_exceeded_only_by_a_larger_share(
    total: int, percentage: float, failed: int
) -> None:
    failed = min(failed, total)

    rule = Rule.of(Policy(tolerated_failure_percentage=percentage), total)

    exceeded = rule.reason(Counts(failed=failed)) is not None
    assert exceeded == (Fraction(failed, total) * 100 > Fraction(str(percentage)))


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_reports_are_few(enough: int, spare: int) -> None:
    successes, others = Rule(min_successful=enough, tolerated=spare).report_thresholds

    assert enough < 2 or enough / successes < 512
    assert spare / others < 512


@pytest.mark.parametrize(
    "wrong",
    [
        {"tolerated_failure_percentage": 130},
        {"tolerated_failure_count": -1},
        {"min_successful": 0},
        {"min_successful": 1, "race": True},
        {"min_successful": 1, "tolerated_failure_count": 0},
        {"race": True, "tolerated_failure_percentage": 100},
        {"max_attempts": 0},
        {"deadline": 0},
        {"on_deadline": "shrug"},
        {"max_concurency": 1},
    ],
)
def test_an_invalid_policy_is_refused(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        Policy(**wrong)


def test_a_request_overrides_single_fields_and_the_completion_rule_as_a_whole() -> None:
    served = Policy(max_concurrency=8, tolerated_failure_count=3)

    assert served.overridden(Policy(max_attempts=2)) == Policy(
        max_concurrency=8, tolerated_failure_count=3, max_attempts=2
    )
    assert served.overridden(Policy(min_successful=1)) == Policy(
        max_concurrency=8, min_successful=1
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"max_concurrency": 10**400},
        {"max_items_per_batch": 10**400},
        {"tolerated_failure_percentage": float("nan")},
    ],
)
def test_a_policy_with_numbers_out_of_range_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(fields)


def test_a_policy_serializes_only_the_fields_that_were_set() -> None:
    policy = Policy(max_attempts=2, deadline=timedelta(seconds=1))

    assert policy.model_dump(mode="json") == {"max_attempts": 2, "deadline": "PT1S"}
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
    assert Policy().model_dump() == {}
