"""`Remains`: old and new values are merged in the order of the split."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallelizework.messages import FullIndex, Outcomes, Rest, expanded
from parallelizework.outcomes import Failure
from parallelizework.redrive.models import Index, Selection
from parallelizework.redrive.pieces import joined, pieces
from parallelizework.redrive.remains import Items, Remains

# How each subtask of a run ended, by shard; None for a shard that was not expanded.
Fates = list[str]
ENDS = ("value", "late value", "failed", "late failure", "cancelled", "rest")
END = st.sampled_from(ENDS)
UNSHARDED = st.lists(END, max_size=12)
SHARDED = st.lists(st.none() | st.lists(END, max_size=5), min_size=1, max_size=5)
ALL = Selection()


def subtask(full_index: FullIndex) -> list[int | None]:
    return list(full_index)


def failure(full_index: FullIndex, status: Any = "failed") -> Failure[Any]:
    shard, index = full_index
    return Failure(
        index=index,
        shard=shard,
        subtask=subtask(full_index),
        status=status,
        message="it fails",
        code=418,
    )


def ended(shards: dict[int | None, Fates | None]) -> Outcomes:
    """The outcomes of a run whose subtasks ended like this."""
    found: dict[str, list[FullIndex]] = {end: [] for end in ENDS}
    unexpanded: list[Rest] = []
    values: list[FullIndex] = []
    for shard, fates in shards.items():
        if fates is None:
            assert shard is not None
            rest = Rest(first=shard, are_shards=True, items=[f"shard {shard}"])
            unexpanded.append(rest)
        for index, fate in enumerate(fates or ()):
            found[fate].append((shard, index))
            values += [(shard, index)] if "value" in fate else []
    cancelled = [failure(full_index, "cancelled") for full_index in found["cancelled"]]
    return Outcomes(
        succeeded=len(found["value"]),
        late_successes=len(found["late value"]),
        values=[subtask(full_index) for full_index in values],
        failures=[*map(failure, found["failed"]), *cancelled],
        late_failures=[*map(failure, found["late failure"])],
        rest=[*map(rest_of, found["rest"]), *unexpanded],
        shard_values=Counter(shard for shard, _ in values if shard is not None),
    )


def rest_of(full_index: FullIndex) -> Rest:
    shard, index = full_index
    return Rest(first=index, shard=shard, items=[subtask(full_index)])


def executed(items: Items, size: int, *, has_shards: bool) -> Outcomes:
    """The outcomes of items that all succeed; a new shard has `size` subtasks."""
    full_indexes: list[FullIndex] = []
    for index, item in zip(items.indexes, items.items, strict=True):
        if not has_shards:
            assert item == subtask((None, index))
            full_indexes.append((None, index))
        elif known := expanded(item):
            assert known.subtasks == [subtask((index, i)) for i in known.indexes]
            full_indexes += [(index, i) for i in known.indexes]
        else:
            assert item == f"shard {index}"
            full_indexes += [(index, i) for i in range(size)]
    return Outcomes(
        values=[subtask(full_index) for full_index in full_indexes],
        full_indexes=full_indexes,
    )


@given(UNSHARDED)
def test_a_redrive_completes_a_run_in_the_order_of_the_split(fates: Fates) -> None:
    items, left = Remains.of(ended({None: fates})).selected(ALL)

    merged = left.merged(executed(items, 0, has_shards=False), combines=False)

    assert merged.values == [subtask((None, index)) for index in range(len(fates))]
    assert not merged.failures
    assert not merged.rest


@given(SHARDED, st.integers(0, 3))
def test_a_redrive_completes_shards_in_the_order_of_the_split(
    shards: list[Fates | None], size: int
) -> None:
    items, left = Remains.of(ended(dict(enumerate(shards)))).selected(ALL)

    merged = left.merged(executed(items, size, has_shards=True), combines=False)

    sizes = [size if fates is None else len(fates) for fates in shards]
    full_indexes = [
        (shard, index) for shard, n in enumerate(sizes) for index in range(n)
    ]
    assert merged.values == [subtask(full_index) for full_index in full_indexes]
    assert merged.shard_values == {shard: n for shard, n in enumerate(sizes) if n}
    assert not merged.failures
    assert not merged.rest


@given(SHARDED, st.data())
def test_a_redrive_of_some_subtasks_leaves_the_others_for_the_next(
    shards: list[Fates | None], data: st.DataObject
) -> None:
    remains = Remains.of(ended(dict(enumerate(shards))))
    open_places: list[Index] = [(s, i) for s, i in remains.gaps if s is not None]
    some = st.lists(st.sampled_from(open_places)) if open_places else st.just([])
    chosen = data.draw(some)
    selection = Selection(indexes=chosen or None, failed_only=not chosen)

    items, left = remains.selected(selection)
    first = left.merged(executed(items, 1, has_shards=True), combines=False)
    items, left = Remains.of(first).selected(ALL)
    second = left.merged(executed(items, 1, has_shards=True), combines=False)

    sizes = [1 if fates is None else len(fates) for fates in shards]
    full_indexes = [
        (shard, index) for shard, n in enumerate(sizes) for index in range(n)
    ]
    assert second.values == [subtask(full_index) for full_index in full_indexes]


@given(SHARDED)
def test_outcomes_are_the_same_after_they_were_in_pieces(
    shards: list[Fates | None],
) -> None:
    outcomes = ended(dict(enumerate(shards)))

    kept = [Outcomes.model_validate_json(p.model_dump_json()) for p in pieces(outcomes)]

    before, after = Remains.of(outcomes), Remains.of(joined(kept))
    assert after == before


def test_large_values_are_in_several_pieces() -> None:
    value = "x" * 1024 * 1024
    outcomes = Outcomes(
        succeeded=10,
        values=[value] * 10,
        rest=[Rest(first=10, items=[value] * 10)],
    )

    found = pieces(outcomes)

    assert len(found) >= 5
    assert all(len(piece.model_dump_json()) < 5 * 1024 * 1024 for piece in found)
    assert Remains.of(joined(found)) == Remains.of(outcomes)


@given(UNSHARDED)
def test_what_was_cancelled_may_be_left_out(fates: Fates) -> None:
    items, left = Remains.of(ended({None: fates})).selected(Selection(failed_only=True))

    failed = [i for i, fate in enumerate(fates) if fate in ("failed", "late failure")]
    assert items.indexes == failed
    assert {failure.status for failure in left.failures} <= {"cancelled"}


def test_a_place_that_has_a_value_cannot_be_selected() -> None:
    remains = Remains.of(ended({None: ["value", "failed"]}))

    with pytest.raises(LookupError, match="0, 7"):
        remains.selected(Selection(indexes=[0, 1, 7]))


def test_combined_values_are_not_merged_again() -> None:
    _, left = Remains.of(ended({None: ["value", "failed"]})).selected(ALL)

    merged = left.merged(Outcomes(succeeded=2, values=["both"]), combines=True)

    assert merged.values == ["both"]


def test_old_and_new_failures_are_in_the_order_of_the_split() -> None:
    remains = Remains.of(ended({None: ["failed", "value", "failed"]}))
    _, left = remains.selected(Selection(indexes=[0]))

    merged = left.merged(Outcomes(failures=[failure((None, 0))]), combines=False)

    assert [each.index for each in merged.failures] == [0, 2]


def test_a_subtask_that_is_left_out_has_its_name() -> None:
    remains = Remains.of(ended({None: ["failed", "rest"]}))

    _, left = remains.selected(Selection(indexes=[0]), name_of=str)

    [left_out] = left.failures
    assert left_out.name == str(subtask((None, 1)))
