"""Who gets what: every unit exactly once, and no coordinator too much."""

from hypothesis import example, given
from hypothesis import strategies as st

from parallelizework.coordination.partition import SEGMENT, WINDOW, Plan, plan

UNITS = st.integers(0, 3_000_000)
PLACES = st.integers(1, 20_000)


@given(UNITS, PLACES, st.booleans())
@example(1_000_000, 64, False)
@example(5_000_000, 1, True)
def test_every_unit_is_in_exactly_one_call(units: int, places: int, wide: bool) -> None:
    made = plan(units, places, wide=wide)

    assert sum(made.sizes) == units
    assert all(size > 0 for size in made.sizes)


@given(UNITS, PLACES, st.booleans())
@example(1_000, 10_000, True)
def test_no_coordinator_makes_more_calls_than_its_bound(
    units: int, places: int, wide: bool
) -> None:
    made = plan(units, places, wide=wide)

    assert len(made.sizes) <= (SEGMENT if made.direct else 4 * WINDOW)


@given(st.integers(1, 3_000_000), PLACES)
def test_all_places_can_be_used_where_there_is_work_for_them(
    units: int, places: int
) -> None:
    made = plan(units, places)

    used = sum(min(made.share, size) for size in made.sizes[:WINDOW])
    assert used >= min(units, places)
    assert 1 <= made.share <= made.most


def depth(made: Plan) -> int:
    if made.direct:
        return 1
    return 1 + max(depth(plan(size, made.most)) for size in set(made.sizes))


@given(UNITS, PLACES)
def test_the_depth_is_logarithmic(units: int, places: int) -> None:
    assert depth(plan(units, places)) <= 4


@given(st.integers(200_000, 1_000_000), st.integers(5, 4_000))
def test_the_last_slices_are_a_small_part_of_a_fair_share(
    units: int, places: int
) -> None:
    made = plan(units, places)

    assert made.sizes[-1] <= units / min(32, places // 4) / 3


@given(st.integers(1, SEGMENT), st.integers(1, WINDOW))
def test_few_subtasks_are_called_directly(units: int, places: int) -> None:
    assert plan(units, places) == Plan((1,) * units, 1, 1, direct=True)
