"""Outcomes in the order of their calls, whatever the order they come in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallelizework.completion import Rule
from parallelizework.coordination.fan_in import FanIn
from parallelizework.messages import Outcomes
from parallelizework.outcomes import CompletionReason, Counts, Failure

pytestmark = pytest.mark.anyio


async def concatenated(values: list[Any]) -> Any:
    return "+".join(map(str, values))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def success(value: int) -> Outcomes:
    return Outcomes(succeeded=1, values=[value])


def failure(index: int) -> Outcomes:
    failed = Failure[Any](
        index=index, subtask=index, status="failed", message="bad", code=500
    )
    return Outcomes(failures=[failed])


async def values_of(order: list[int], *, combine: bool) -> list[Any]:
    fan_in = FanIn(Rule(), concatenated if combine else None)
    for position in order:
        await fan_in.add(position, success(position))
    return (await fan_in.outcomes()).values


@given(st.permutations(range(40)))
async def test_values_are_in_order(order: list[int]) -> None:
    assert await values_of(order, combine=False) == list(range(40))


@given(st.permutations(range(40)))
async def test_values_are_combined_in_order(order: list[int]) -> None:
    assert await values_of(order, combine=True) == ["+".join(map(str, range(40)))]


async def test_no_values_are_an_empty_list_and_one_value_is_unchanged() -> None:
    assert await values_of([], combine=True) == []
    assert await values_of([0], combine=True) == [0]


@pytest.mark.parametrize("combine", [True, False])
@given(order=st.permutations(range(40)), count=st.integers(1, 30))
async def test_values_stay_in_order_when_others_are_missing(
    order: list[int], count: int, *, combine: bool
) -> None:
    got = await values_of(order[:count], combine=combine)

    assert "+".join(map(str, got)) == "+".join(map(str, sorted(order[:count])))


@given(st.permutations(range(40)), st.sets(st.integers(0, 39)), st.integers(1, 40))
async def test_fan_in_keeps_exactly_the_outcomes_that_end_the_run(
    order: list[int], bad: set[int], enough: int
) -> None:
    rule = Rule(min_successful=enough, tolerated=40 - enough)
    fan_in = FanIn(rule, None)
    for position in order:
        await fan_in.add(
            position, failure(position) if position in bad else success(position)
        )

    outcomes = await fan_in.outcomes()
    assert [f.index for f in outcomes.failures] == sorted(
        f.index for f in outcomes.failures
    )
    if fan_in.reason is CompletionReason.MIN_SUCCESSFUL_REACHED:
        assert len(outcomes.values) == enough
    else:
        assert len(outcomes.failures) == 40 - enough + 1


async def test_a_subtask_that_was_reported_is_counted_once() -> None:
    fan_in = FanIn(Rule(min_successful=3), None)
    fan_in.count_reported(0, Counts(succeeded=1))
    fan_in.count_reported(1, Counts(succeeded=1))
    fan_in.count_reported(0, Counts(succeeded=2, failed=1))

    assert fan_in.counts == Counts(succeeded=3, failed=1)
    assert fan_in.reason is CompletionReason.MIN_SUCCESSFUL_REACHED
    await fan_in.add(1, Outcomes(succeeded=2, values=[1, 2]))
    assert fan_in.counts == Counts(succeeded=4, failed=1)
    assert fan_in.kept == Counts(succeeded=2)
    await fan_in.add(0, Outcomes(succeeded=2, values=[3, 4]))
    assert (await fan_in.outcomes()).values == [3, 1, 2]
