"""A slice is divided into calls and further slices until each item has a call."""

import subprocess
import sys
from collections.abc import Iterator
from math import ceil
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from parallelizework import FanOut
from parallelizework.completion import Rule
from parallelizework.coordination.calls import Call, SliceCall, SubtaskCall
from parallelizework.coordination.dispatch import ShardDispatch, SubtaskDispatch
from parallelizework.coordination.planning.pace import Pace
from parallelizework.messages import HandlerName, Slice
from parallelizework.policy import WINDOW, Policy


def listed(count: int) -> list[int]:
    return list(range(count))


def same(number: int) -> int:
    return number


def total(numbers: list[int]) -> int:
    return sum(numbers)


PLAIN = FanOut("Test", split=listed, execute=same, aggregate=total)
COMBINED = FanOut("Test", split=listed, execute=same, aggregate=total, combine=total)
SHARDED = FanOut("Test", split=listed, expand=listed, execute=same, aggregate=total)


def policy(batch: int) -> Policy:
    return Policy(max_items_per_batch=batch)


def leaves(
    dispatch: SubtaskDispatch, slice_: Slice[Any], batch: int, *, slow: bool
) -> Iterator[tuple[int, int]]:
    """Each item's index and value."""
    sent = dispatch.calls(slice_, policy(batch), Pace(is_slow=slow))
    for call in sent.calls:
        if isinstance(call, SubtaskCall):
            yield call.index, int(call.body)
            continue
        assert isinstance(call, SliceCall)
        slots = min(call.share, slice_.slots)
        inner = dispatch.slice_json.deserialize(call.body("inv_caller", slots, Rule()))
        assert inner.slots == slots
        if call.handler is HandlerName.RUN_SEGMENT:
            yield from leaves(dispatch, inner, batch, slow=slow)
        else:
            yield from enumerate(inner.items, inner.first)


@given(
    st.integers(0, 5_000),
    st.integers(1, 3_000),
    st.sampled_from([1, 3, 64]),
    st.sampled_from([PLAIN, COMBINED]),
    st.booleans(),
)
def test_every_item_is_in_one_call_in_order_and_has_a_share_of_the_slots(
    count: int, slots: int, batch: int, fan_out: FanOut[int, int, int, int], slow: bool
) -> None:
    dispatch = SubtaskDispatch(fan_out.definition)
    whole = Slice[Any](slots=slots, items=list(range(count)))

    found = list(leaves(dispatch, whole, batch, slow=slow))

    assert found == [(index, index) for index in range(count)]


@given(st.integers(0, 5_000), st.integers(1, 3_000), st.sampled_from([1, 64]))
def test_shards_share_the_slots(count: int, slots: int, batch: int) -> None:
    dispatch = ShardDispatch(SHARDED.definition)
    whole = Slice[Any](slots=slots, items=list(range(count)))

    sent = dispatch.calls(whole, policy(batch), Pace())
    bodies = [
        call.body("inv_caller", min(call.share, slots), Rule())
        for call in sent.calls
        if isinstance(call, SliceCall)
    ]
    inner = [dispatch.slice_json.deserialize(body) for body in bodies]

    assert [item for slice_ in inner for item in slice_.items] == list(range(count))
    assert all(1 <= slice_.slots <= slots for slice_ in inner)


@given(st.integers(1, 3_000), st.sampled_from([1, 3, 64]))
def test_a_call_costs_a_slot_for_each_of_its_subtasks(slots: int, batch: int) -> None:
    whole = Slice[Any](slots=slots, items=list(range(500)))

    sent = SubtaskDispatch(PLAIN.definition).calls(whole, policy(batch), Pace())

    assert sent.cost == min(batch, slots)
    for call in sent.calls:
        assert isinstance(call, Call)
        assert call.share % sent.cost == call.most % sent.cost == 0


def test_a_slice_has_the_rest_of_the_completion_rule_and_a_report_request() -> None:
    dispatch = SubtaskDispatch(PLAIN.definition)
    whole = Slice[Any](slots=WINDOW, items=list(range(3_000)))
    calls = dispatch.calls(whole, Policy(), Pace()).calls
    first, second, *_ = (call for call in calls if isinstance(call, SliceCall))

    left = Rule(min_successful=600)
    one = dispatch.slice_json.deserialize(first.body("inv_caller", 1, left))
    last = Rule(min_successful=1)
    other = dispatch.slice_json.deserialize(second.body("inv_caller", 1, last))

    assert one.rule == left
    assert one.report_request
    assert one.report_request.to == "inv_caller"
    assert one.report_request.name == str(WINDOW)
    assert one.report_request.successes == 2
    assert one.report_request.updates == ceil(len(one.items) / 30)
    assert other.rule == last
    assert other.report_request
    assert other.report_request.name == str(WINDOW + 1)
    assert other.report_request.successes == 0  # the first ends it, and the run


SETS = """
from pydantic import BaseModel
from parallelizework import FanOut
from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.coordination.planning.pace import Pace
from parallelizework.messages import Slice
from parallelizework.policy import Policy
class Tagged(BaseModel):
    tags: set[str]
def split(count: int) -> list[Tagged]:
    return []
def execute(tagged: Tagged) -> int:
    return 1
def aggregate(values: list[int]) -> int:
    return 1
made = FanOut("T", split=split, execute=execute, aggregate=aggregate)
dispatch = SubtaskDispatch(made.definition)
journal = b'[{"tags": ["a", "b", "c", "d", "e", "f"]}]'
items = made.definition.subtasks_json.deserialize(journal)
slice_ = Slice(slots=1, items=items)
print([call.body for call in dispatch.calls(slice_, Policy(), Pace()).calls])
"""


def test_a_replay_in_another_process_sends_the_same_bytes() -> None:
    bodies = {
        subprocess.run(
            [sys.executable, "-c", SETS],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in "12345"
    }

    assert len(bodies) == 1
