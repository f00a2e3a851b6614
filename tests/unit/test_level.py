"""From a slice to calls, and on through the slices of slices, down to every item."""

import subprocess
import sys
from collections.abc import Iterator
from math import ceil
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from parallelizework.completion import Rule
from parallelizework.coordination.calls import Known, SubtaskCall
from parallelizework.coordination.dispatch import Calls, Level
from parallelizework.coordination.slice import Slice
from parallelizework.policy import Policy


def calls(level: Level, part: Slice[Any], batch: int = 1) -> Calls:
    policy = Policy(max_items_per_batch=batch)
    return level.calls(part, policy, Rule, "inv_caller")


def leaves(level: Level, part: Slice[Any], batch: int) -> Iterator[tuple[int, int]]:
    """Each item's index and value."""
    sent = calls(level, part, batch)
    for call in sent.calls:
        assert not isinstance(call, Known)
        if isinstance(call, SubtaskCall):
            yield call.index, int(call.json)
            continue
        inner = level.slice.deserialize(call.body(sent.share))
        assert inner.slots == min(sent.share * batch, part.slots)
        if call.handler == "runSegment":
            yield from leaves(level, inner, batch)
        else:
            yield from enumerate(inner.items, inner.first)


@given(
    st.integers(0, 5_000),
    st.integers(1, 3_000),
    st.sampled_from([1, 3, 64]),
    st.sampled_from([64, 1_000]),
)
def test_every_item_is_in_one_call_in_order_and_has_a_share_of_the_slots(
    count: int, slots: int, batch: int, segment: int
) -> None:
    level = Level("Test", int, many="runSegment", segment=segment)
    whole = Slice[Any](slots=slots, items=list(range(count)))

    found = list(leaves(level, whole, batch))

    assert found == [(index, index) for index in range(count)]


@given(st.integers(0, 5_000), st.integers(1, 3_000), st.sampled_from([1, 64]))
def test_shards_share_the_slots(count: int, slots: int, batch: int) -> None:
    level = Level("Test", int, many="runShards", shards=True)

    sent = calls(level, Slice[Any](slots=slots, items=list(range(count))), batch)
    bodies = [
        call.body(sent.share) for call in sent.calls if not isinstance(call, Known)
    ]
    inner = [level.slice.deserialize(body) for body in bodies]

    assert [item for part in inner for item in part.items] == list(range(count))
    assert all(1 <= part.slots <= slots for part in inner)


def test_a_part_gets_what_is_left_of_the_rule_and_reports_as_often_as_it_matters() -> (
    None
):
    level = Level("Test", int, many="runSegment")
    left = iter([Rule(min_successful=600), Rule(min_successful=1), *[Rule()] * 2_000])
    whole = Slice[Any](slots=64, items=list(range(3_000)))

    sent = level.calls(whole, Policy(), lambda: next(left), "inv_caller")
    first, second, third, *_ = [
        level.slice.deserialize(call.body(1))
        for call in sent.calls
        if not isinstance(call, Known)
    ]

    assert first.rule == Rule(min_successful=600)
    assert first.reports
    assert first.reports.to == "inv_caller"
    assert first.reports.successes == 2
    assert first.reports.updates == ceil(len(first.items) / 3)
    assert second.rule == Rule(min_successful=1)
    assert second.reports
    assert second.reports.successes == 0  # the first ends it, and the run
    assert third.reports


SETS = """
from pydantic import BaseModel
from parallelizework.coordination.dispatch import Level
from parallelizework.coordination.slice import Slice
from parallelizework.policy import Policy
from parallelizework.completion import Rule
class Tagged(BaseModel):
    tags: set[str]
level = Level("T", Tagged, many="runSegment")
journal = b'[{"tags": ["a", "b", "c", "d", "e", "f"]}]'
items = level.items.deserialize(journal)
part = Slice(slots=1, items=items)
print([call.body(1) for call in level.calls(part, Policy(), Rule, "").calls])
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
