"""Dispatch: turns the items of a slice into calls."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise
from math import ceil
from typing import Any

from parallelizework.coordination.calls import (
    Call,
    Calls,
    Known,
    SliceCall,
    SubtaskCall,
)
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.partition import SEGMENT, Partition, partition
from parallelizework.definition.definition import Definition
from parallelizework.definition.execute import REFERENCE
from parallelizework.headers import SUBTASK_HEADER, policy_headers, slice_name
from parallelizework.messages import HandlerName, Slice
from parallelizework.outcomes import known_values
from parallelizework.policy import WINDOW, Policy
from parallelizework.serde.message import Message

# How many reports for progress a run receives, approximately. They are less than 1 % of
# the cost of a large run.
_UPDATES = 100


class SubtaskDispatch:
    """Turns subtasks into calls: for one subtask, for a batch, or for a segment.

    Args:
        definition: The fan-out.

    Attributes:
        slice_json: The JSON of slices.
        report_every: How many items end between two reports for progress, at least.
    """

    report_every = 4
    _is_wide = False  # see `partition`
    _slice_handler = HandlerName.RUN_SEGMENT

    def __init__(self, definition: Definition) -> None:
        name = definition.name
        self.slice_json = Message[Slice[Any]](Slice[Any], f"a slice of {name}")
        self._definition = definition
        self._item_json = Message[Any](Any, f"a subtask of {name}", remedy=REFERENCE)
        # With `combine`, a coordinator has few subtasks: so it holds few values.
        self._segment = WINDOW if definition.combine else SEGMENT

    def calls(
        self, slice_: Slice[Any], policy: Policy, is_slow: Callable[[], bool]
    ) -> Calls:
        """Return the calls for a slice.

        Args:
            slice_: The slice.
            policy: The policy of the run.
            is_slow: Whether the subtasks of the run have ended slowly so far.
        """
        cost = min(slice_.slots, policy.max_items_per_batch)
        calls = self._calls(slice_, policy, cost, is_slow)
        return Calls(calls, slice_.slots, cost)

    def _calls(
        self,
        slice_: Slice[Any],
        policy: Policy,
        cost: int,
        is_slow: Callable[[], bool],
    ) -> Iterator[Call | Known]:
        batch = policy.max_items_per_batch
        unit = self._unit(batch)
        units, at_once = ceil(len(slice_.items) / unit), max(1, slice_.slots // batch)
        divide = partial(
            partition, at_once=at_once, wide=self._is_wide, segment=self._segment
        )
        part = Part(slice_, unit, cost)
        divided = divide(units)
        if divided.direct:
            yield from self._units(part, policy, divided)
            return
        slow = slice_.is_slow
        if slow is None and at_once <= WINDOW and not self._is_wide:
            # Their duration tells how to divide the rest.
            yield from self._units(part, policy, divide(WINDOW))
            part = replace(part, position=WINDOW, start=WINDOW * unit)
            units -= WINDOW
            slow = is_slow()
        divided = divide(units, slow=bool(slow))
        yield from self._slices(part, divided, self._slice_handler, is_slow=bool(slow))

    def items_ended(self, fan_in: FanIn) -> int:
        """Return how many items have ended."""
        return fan_in.counts.settled

    def _unit(self, batch: int) -> int:
        """How many items one unit of work has: the size of a batch."""
        return batch

    def _units(
        self, part: "Part", policy: Policy, divided: Partition
    ) -> Iterator[Call | Known]:
        if policy.max_items_per_batch > 1:
            return self._slices(part, divided, HandlerName.RUN_BATCH)
        return self._subtasks(part.whole, policy, len(divided.sizes))

    def _subtasks(
        self, slice_: Slice[Any], policy: Policy, count: int
    ) -> Iterator[Call | Known]:
        definition, shard = self._definition, slice_.shard
        policy_header = policy_headers(slice_.overrides)
        name = slice_name(slice_.run, shard)
        items = slice_.items[:count]
        known = known_values(items) if definition.may_have_done else {}
        for position, item in enumerate(items):
            if position in known:
                yield Known(position, known[position])
                continue
            index = slice_.first + position
            yield SubtaskCall(
                position=position,
                service=definition.executor,
                handler=HandlerName.RUN_SUBTASK,
                timeout=policy.subtask_timeout,
                subtask=item,
                body=self._item_json.serialize(item),
                headers=policy_header | {SUBTASK_HEADER: f"{name} index={index}"},
                index=index,
                shard=shard,
            )

    def _slices(
        self,
        part: "Part",
        divided: Partition,
        handler: HandlerName,
        *,
        is_slow: bool = False,
    ) -> Iterator[Call]:
        whole = part.whole
        updates = whole.report_request.updates if whole.report_request else _UPDATES
        updates_each = updates / max(1, len(whole.items))
        is_batch = handler is HandlerName.RUN_BATCH  # one step, so it cannot report
        definition = self._definition
        service = definition.executor if is_batch else definition.name
        sizes = (size * part.unit for size in divided.sizes)
        ends = accumulate(sizes, initial=part.start)
        for position, (start, end) in enumerate(pairwise(ends), part.position):
            count = min(end, len(whole.items)) - start
            yield SliceCall(
                position=position,
                service=service,
                handler=handler,
                is_coordinator=not is_batch,
                share=divided.share * part.cost,
                most=divided.most * part.cost,
                whole=whole,
                start_at=start,
                end_at=end,
                slice_json=self.slice_json,
                updates=ceil(updates_each * count),
                is_slow=is_slow,
            )


class ShardDispatch(SubtaskDispatch):
    """Turns shards into calls: for one shard, or for several shards."""

    report_every = 1
    _is_wide = True
    _slice_handler = HandlerName.RUN_SHARDS

    def items_ended(self, fan_in: FanIn) -> int:
        """Return how many shards have ended. Their number of subtasks is unknown."""
        return fan_in.calls_ended

    def _unit(self, batch: int) -> int:
        return 1

    def _units(
        self, part: "Part", policy: Policy, divided: Partition
    ) -> Iterator[Call | Known]:
        return self._slices(part, divided, HandlerName.RUN_SHARD)


@dataclass(frozen=True)
class Part:
    """The items of a slice that have no call yet.

    Attributes:
        whole: The slice.
        unit: How many items one unit of work has: the size of a batch.
        cost: How many slots a call of one unit costs.
        position: The position of the next call.
        start: The position of the next item in `whole.items`.
    """

    whole: Slice[Any]
    unit: int
    cost: int
    position: int = 0
    start: int = 0
