"""`Pace`: batches take about a quarter of a second, and no slot is without work."""

from hypothesis import given
from hypothesis import strategies as st

from parallelizework.coordination.planning.pace import Pace, seconds_of_one

MANY = list(range(100_000))
MIB = 1024 * 1024


def test_a_batch_has_one_item_while_nothing_is_known() -> None:
    assert Pace().batch(MANY, 0, 1, 64) == 1


def test_a_batch_takes_a_quarter_of_a_second() -> None:
    pace = Pace(seconds=0.01)

    assert pace.batch(MANY, 0, 1, 64) == 25
    assert pace.batch(MANY, 0, 4, 64) == 100


def test_subtasks_that_take_a_second_are_single() -> None:
    assert Pace(seconds=1.0).batch(MANY, 0, 1, 64) == 1


def test_a_batch_is_bounded() -> None:
    assert Pace(seconds=0.0).batch(MANY, 0, 1, 64) == 128


def test_the_last_items_are_shared_by_all_slots() -> None:
    assert Pace(seconds=0.0).batch(list(range(100)), 0, 1, 64) == 2


def test_slower_subtasks_count_at_once_and_faster_ones_gradually() -> None:
    pace = Pace()

    pace.add(0.1)
    assert pace.seconds == 0.1
    pace.add(0.4)
    assert pace.seconds == 0.4
    pace.add(0.2)
    assert pace.seconds is not None
    assert 0.2 < pace.seconds < 0.4


@given(
    st.none() | st.floats(0, 1e6),
    st.integers(1, 1_000),
    st.integers(1, 1_000),
    st.integers(1, 64),
)
def test_a_batch_has_at_least_one_item_and_no_more_than_there_are(
    seconds: float | None, items: int, slots: int, at_once: int
) -> None:
    assert 1 <= Pace(seconds=seconds).batch([0] * items, 0, slots, at_once) <= items


def test_large_items_are_in_small_batches() -> None:
    items = ["x" * MIB] * 10_000

    assert Pace(seconds=0.0).batch(items, 0, 1, 64) == 2


def test_large_values_count_as_slow() -> None:
    each = seconds_of_one(0.001, 16 * MIB, items=4, slots=1)

    assert Pace(seconds=each).batch(MANY, 0, 1, 64) == 1


def test_one_slot_executes_a_batch_one_by_one() -> None:
    assert seconds_of_one(1.0, 10, items=4, slots=1) == 0.25
    assert seconds_of_one(1.0, 10, items=4, slots=2) == 0.5
    assert seconds_of_one(1.0, 10, items=2, slots=64) == 1.0


def test_the_next_batch_begins_where_the_last_one_ended() -> None:
    assert Pace(seconds=0.0).batch(MANY, len(MANY) - 64, 1, 64) == 1
