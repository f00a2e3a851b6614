"""Who gets what: every unit exactly once, and no coordinator too much."""

from hypothesis import example, given
from hypothesis import strategies as st

from parallelizework.plan import SEGMENT, WINDOW, Plan, plan

UNITS = st.integers(0, 3_000_000)
SLOTS = st.integers(1, 20_000)


@given(UNITS, SLOTS, st.booleans())
@example(1_000_000, 64, False)
@example(5_000_000, 1, True)
def test_every_unit_is_in_exactly_one_call(units: int, slots: int, wide: bool) -> None:
    made = plan(units, slots, wide=wide)

    assert sum(made.sizes) == units
    assert all(size > 0 for size in made.sizes)


@given(UNITS, SLOTS, st.booleans())
def test_no_coordinator_makes_more_calls_than_its_bound(
    units: int, slots: int, wide: bool
) -> None:
    made = plan(units, slots, wide=wide)

    assert len(made.sizes) <= max(SEGMENT, 17 * WINDOW)
    assert made.window <= max(WINDOW, 1)


@given(UNITS, SLOTS, st.booleans())
def test_the_slots_given_away_are_never_more_than_there_are(
    units: int, slots: int, wide: bool
) -> None:
    made = plan(units, slots, wide=wide)

    assert 1 <= made.window * made.slots <= slots


@given(st.integers(1, 3_000_000), SLOTS)
def test_nearly_all_slots_are_used_where_there_is_work_for_them(
    units: int, slots: int
) -> None:
    made = plan(units, slots)

    assert made.window * made.slots >= 0.95 * min(units, slots)


def depth(made: Plan) -> int:
    if made.direct:
        return 1
    return 1 + max(depth(plan(size, made.slots)) for size in set(made.sizes))


@given(UNITS, SLOTS)
def test_the_depth_is_logarithmic(units: int, slots: int) -> None:
    assert depth(plan(units, slots)) <= 4


@given(st.integers(2_000, 1_000_000), st.integers(1, 64))
def test_the_last_slices_are_a_small_part_of_a_fair_share(
    units: int, slots: int
) -> None:
    made = plan(units, slots)

    if not made.direct and slots > 1:
        assert made.sizes[-1] <= max(1, units / slots / 16)


@given(st.integers(1, 64), st.integers(1, 64))
def test_few_subtasks_are_called_directly(units: int, slots: int) -> None:
    assert plan(units, slots) == Plan((1,) * units, min(units, slots), 1, direct=True)
