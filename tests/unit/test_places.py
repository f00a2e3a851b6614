"""Places: never more than there are, and none that is forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from parallelizework.coordination.slots import Places


def test_what_is_free_goes_to_those_that_have_less_than_their_share() -> None:
    places = Places[str](10)
    places.lease("a", 4)
    places.lease("b", 2)

    raises = list(places.raises(4))

    assert raises == [("b", 0, 2)]
    assert places.free == 2
    assert list(places.raises(8)) == [("a", 0, 2)]
    assert list(places.raises(8)) == []


def test_a_call_is_given_no_more_than_it_can_use() -> None:
    places = Places[str](10)
    places.lease("a", 1)

    assert list(places.raises(3)) == [("a", 0, 2)]
    assert places.free == 7


def test_one_that_has_given_back_is_given_nothing() -> None:
    places = Places[str](10)
    places.lease("a", 10)

    places.returned("a", 3)

    assert places.free == 3
    assert list(places.raises(20)) == []


def test_an_older_report_takes_nothing_back_twice() -> None:
    places = Places[str](10)
    places.lease("a", 10)

    places.returned("a", 5)
    places.returned("a", 5)
    places.returned("a", 4)
    places.end("a")

    assert places.free == 10


@given(st.integers(1, 200), st.integers(0, 200))
def test_all_but_a_few_spare_places_are_given_back(count: int, busy: int) -> None:
    places = Places[str](count)
    places.lease("busy", min(busy, count))

    assert 0 <= places.free - places.spare <= count // 16
    assert places.spare <= places.free


@given(st.integers(1, 100), st.data())
def test_no_place_is_given_twice_and_none_is_forgotten(
    count: int, data: st.DataObject
) -> None:
    places, held = Places[int](count), dict[int, int]()
    for call in range(data.draw(st.integers(0, 20))):
        if places.free:
            held[call] = data.draw(st.integers(1, places.free))
            places.lease(call, held[call])
        for other, _, more in places.raises(data.draw(st.integers(0, 40))):
            held[other] += more
        if held:
            some = data.draw(st.sampled_from(list(held)))
            places.returned(some, data.draw(st.integers(0, held[some])))
        assert 0 <= places.free <= count
    for call in held:
        places.end(call)

    assert places.free == count
