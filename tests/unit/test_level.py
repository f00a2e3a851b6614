"""From a slice to calls, and on through the slices of slices, down to every item."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from parallelizework.level import Level, Slice, whole
from parallelizework.serde import Json


def leaves(level: Level, part: Slice[Any], slots: int) -> Iterator[tuple[int, int]]:
    """Each item's index and value, having checked that no call exceeds its slots."""
    sent = level.calls(part)
    given_away = 0
    for call in sent.calls:
        if call.handler == "runSubtask":
            yield int(call.name.split()[1]), int(call.body)
            continue
        inner = level.slice.deserialize(call.body)
        given_away = max(given_away, sent.window * inner.slots)
        if call.handler == "runSegment":
            yield from leaves(level, inner, inner.slots)
        else:
            yield from enumerate(inner.items, inner.first)
    assert given_away <= slots
    assert sent.window <= slots


@given(
    st.integers(0, 5_000),
    st.integers(1, 3_000),
    st.sampled_from([1, 3, 64]),
    st.sampled_from([64, 1_000]),
)
def test_every_item_is_in_one_call_in_order_and_slots_are_never_exceeded(
    count: int, slots: int, batch: int, segment: int
) -> None:
    level = Level(
        "Test",
        Json[int](int, "a number"),
        one="runSubtask" if batch == 1 else "runBatch",
        many="runSegment",
        batch=batch,
        segment=segment,
    )

    found = list(leaves(level, whole(list(range(count)), slots), slots))

    assert found == [(index, index) for index in range(count)]


@given(st.integers(0, 5_000), st.integers(1, 3_000), st.sampled_from([1, 64]))
def test_shards_share_the_slots(count: int, slots: int, batch: int) -> None:
    level = Level(
        "Test",
        Json[int](int, "a shard"),
        one="runShard",
        many="runShards",
        batch=batch,
        wide=True,
    )

    sent = level.calls(whole(list(range(count)), slots))
    inner = [level.slice.deserialize(call.body) for call in sent.calls]

    assert [item for part in inner for item in part.items] == list(range(count))
    assert all(1 <= sent.window * part.slots <= slots for part in inner)


SETS = """
from pydantic import BaseModel
from parallelizework.level import Level, whole
from parallelizework.serde import Json
class Tagged(BaseModel):
    tags: set[str]
level = Level("T", Json(Tagged, "a"), one="runSubtask", many="runSegment")
journal = b'[{"tags": ["a", "b", "c", "d", "e", "f"]}]'
items = level.items.deserialize(journal)
print([call.body for call in level.calls(whole(items, 1)).calls])
"""


def test_a_replay_in_another_process_sends_the_same_bytes() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", SETS],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in "12345"
    }

    assert len(said) == 1
