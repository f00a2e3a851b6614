"""Slots: no slot is leased twice, and no slot is lost."""

from hypothesis import given
from hypothesis import strategies as st

from parallelizework.coordination.planning.slots import Slots

_FACTORS = st.tuples(st.integers(1, 8), st.integers(1, 8))


def test_free_slots_go_to_calls_that_have_less_than_their_share() -> None:
    slots = Slots[str](10)
    slots.lease("busy", 6, 6)
    slots.lease("a", 4, 8)
    slots.end("busy")
    slots.lease("b", 4, 8)
    slots.take_back("a", 0)
    slots.add(3)
    slots.lease("c", 5, 8)

    grown = list(slots.grow(beyond_share=False))

    assert grown == []
    assert slots.free == 0
    slots.add(6)
    assert list(slots.grow(beyond_share=True)) == [("a", 0, 4), ("b", 0, 2)]
    assert list(slots.grow(beyond_share=True)) == []


def test_a_call_that_began_with_less_than_its_share_receives_it() -> None:
    slots = Slots[str](5)
    slots.lease("a", 4, 8)
    slots.lease("b", 4, 8)
    slots.add(6)

    assert list(slots.grow(beyond_share=False)) == [("b", 0, 3)]
    assert slots.free == 3


def test_a_call_is_leased_no_more_slots_than_it_can_use() -> None:
    slots = Slots[str](10)
    slots.lease("a", 1, 3)

    assert list(slots.grow(beyond_share=True)) == [("a", 0, 2)]
    assert slots.free == 7


def test_a_call_that_has_returned_slots_is_leased_no_more() -> None:
    slots = Slots[str](10)
    slots.lease("a", 10, 20)

    slots.take_back("a", 3)

    assert slots.free == 3
    assert list(slots.grow(beyond_share=True)) == []


def test_an_older_report_returns_no_slot_twice() -> None:
    slots = Slots[str](10)
    slots.lease("a", 10, 10)

    slots.take_back("a", 5)
    slots.take_back("a", 5)
    slots.take_back("a", 4)
    slots.end("a")

    assert slots.free == 10


@given(st.integers(1, 200), st.integers(0, 200))
def test_all_but_a_few_free_slots_are_returned(count: int, busy: int) -> None:
    slots = Slots[str](count)
    slots.lease("busy", min(busy, count), count)

    assert 0 <= slots.free - slots.returnable <= count // 8
    assert slots.returnable <= slots.free


@given(st.integers(1, 100), st.data())
def test_no_slot_is_leased_twice_and_no_slot_is_lost(
    count: int, data: st.DataObject
) -> None:
    slots, held = Slots[int](count), dict[int, int]()
    for call in range(data.draw(st.integers(0, 20))):
        if slots.free:
            held[call] = data.draw(st.integers(1, slots.free))
            slots.lease(call, held[call], data.draw(st.integers(held[call], count)))
        for other, _, more in slots.grow(beyond_share=data.draw(st.booleans())):
            held[other] += more
        if held:
            some = data.draw(st.sampled_from(list(held)))
            slots.take_back(some, data.draw(st.integers(0, held[some])))
        assert 0 <= slots.free <= count
    for call in held:
        slots.end(call)

    assert slots.free == count


@given(st.integers(1, 500), st.integers(1, 64), st.data())
def test_a_lease_is_a_multiple_of_what_a_call_costs(
    total: int, cost: int, data: st.DataObject
) -> None:
    cost = min(cost, total)
    slots, leased = Slots[int](total, cost), dict[int, int]()
    for call in range(data.draw(st.integers(1, 20))):
        if slots.free >= cost:
            share, most = sorted(data.draw(_FACTORS))
            leased[call] = slots.lease(call, share * cost, most * cost)
        for other, _, more in slots.grow(beyond_share=data.draw(st.booleans())):
            leased[other] += more

    assert all(count and count % cost == 0 for count in leased.values())
    assert sum(leased.values()) == total - slots.free


@given(st.integers(1, 400), st.integers(1, 100))
def test_slots_are_returned_in_multiples_of_what_a_call_costs(
    units: int, cost: int
) -> None:
    slots, returned = Slots[int](units * cost, cost), 0
    for call in range(units):
        slots.lease(call, cost, cost)

    for call in range(units):
        slots.end(call)
        assert slots.returnable % cost == 0
        assert slots.returnable >= returned
        returned = slots.returnable


def test_the_one_free_batch_of_two_is_returned_whole() -> None:
    slots = Slots[str](200, 100)
    slots.lease("slow", 100, 100)

    assert slots.returnable == 100
