"""Each unit is in exactly one call, and no coordinator has too many calls."""

from hypothesis import example, given
from hypothesis import strategies as st

from parallelizework.coordination.planning.partition import (
    SEGMENT,
    Partition,
    partition,
)
from parallelizework.policy import WINDOW

UNITS = st.integers(0, 3_000_000)
AT_ONCE = st.integers(1, 20_000)


@given(UNITS, AT_ONCE, st.booleans())
@example(1_000_000, 64, False)
@example(5_000_000, 1, True)
def test_every_unit_is_in_exactly_one_call(
    units: int, at_once: int, wide: bool
) -> None:
    divided = partition(units, at_once, wide=wide)

    assert sum(divided.sizes) == units
    assert all(size > 0 for size in divided.sizes)


@given(UNITS, AT_ONCE, st.booleans())
@example(1_000, 10_000, True)
def test_no_coordinator_makes_more_calls_than_its_bound(
    units: int, at_once: int, wide: bool
) -> None:
    divided = partition(units, at_once, wide=wide)

    assert len(divided.sizes) <= (SEGMENT if divided.direct else 4 * WINDOW)


@given(st.integers(1, 3_000_000), AT_ONCE)
def test_as_many_units_as_allowed_are_executed_at_once(
    units: int, at_once: int
) -> None:
    divided = partition(units, at_once)

    used = sum(min(divided.share, size) for size in divided.sizes[:WINDOW])
    assert used >= min(units, at_once)
    assert 1 <= divided.share <= divided.most


def depth(divided: Partition) -> int:
    if divided.direct:
        return 1
    return 1 + max(depth(partition(size, divided.most)) for size in set(divided.sizes))


@given(UNITS, AT_ONCE)
def test_the_depth_is_logarithmic(units: int, at_once: int) -> None:
    assert depth(partition(units, at_once)) <= 4


@given(st.integers(200_000, 1_000_000), st.integers(5, 4_000))
def test_the_last_slices_are_a_small_part_of_a_fair_share(
    units: int, at_once: int
) -> None:
    divided = partition(units, at_once)

    assert divided.sizes[-1] <= units / min(32, at_once // 4) / 3


@given(st.integers(1, SEGMENT), st.integers(1, WINDOW))
def test_few_subtasks_are_called_directly(units: int, at_once: int) -> None:
    assert partition(units, at_once) == Partition((1,) * units, 1, 1, direct=True)
