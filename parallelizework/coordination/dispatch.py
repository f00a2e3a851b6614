"""Dispatch: turns the items of a slice into calls."""

from collections.abc import Iterator
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
_UPDATES = 1_000


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

    def calls(self, slice_: Slice[Any], policy: Policy) -> Calls:
        """Return the calls for a slice."""
        batch = policy.max_items_per_batch
        unit = self._unit(batch)
        divided = partition(
            ceil(len(slice_.items) / unit),
            max(1, slice_.slots // batch),
            wide=self._is_wide,
            segment=self._segment,
        )
        cost = min(slice_.slots, batch)
        if not divided.direct:
            calls = self._slices(slice_, divided, unit, self._slice_handler)
        else:
            calls = self._units(slice_, policy, divided)
        share, most = divided.share * cost, divided.most * cost
        return Calls(calls, slice_.slots, cost, share, most)

    def items_ended(self, fan_in: FanIn) -> int:
        """Return how many items have ended."""
        return fan_in.counts.settled

    def _unit(self, batch: int) -> int:
        """How many items one unit of work has: the size of a batch."""
        return batch

    def _units(
        self, slice_: Slice[Any], policy: Policy, divided: Partition
    ) -> Iterator[Call | Known]:
        batch = policy.max_items_per_batch
        if batch > 1:
            return self._slices(slice_, divided, batch, HandlerName.RUN_BATCH)
        return self._subtasks(slice_, policy)

    def _subtasks(self, slice_: Slice[Any], policy: Policy) -> Iterator[Call | Known]:
        definition, shard = self._definition, slice_.shard
        policy_header = policy_headers(slice_.overrides)
        name = slice_name(slice_.run, shard)
        known = known_values(slice_.items) if definition.may_have_done else {}
        for position, item in enumerate(slice_.items):
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
        self, whole: Slice[Any], divided: Partition, unit: int, handler: HandlerName
    ) -> Iterator[Call]:
        updates = whole.report_request.updates if whole.report_request else _UPDATES
        share = updates / max(1, len(whole.items))
        is_batch = handler is HandlerName.RUN_BATCH  # one step, so it cannot report
        definition = self._definition
        service = definition.executor if is_batch else definition.name
        ends = accumulate((size * unit for size in divided.sizes), initial=0)
        for position, (start, end) in enumerate(pairwise(ends)):
            count = min(end, len(whole.items)) - start
            yield SliceCall(
                position=position,
                service=service,
                handler=handler,
                is_coordinator=not is_batch,
                whole=whole,
                start_at=start,
                end_at=end,
                slice_json=self.slice_json,
                updates=ceil(share * count),
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
        self, slice_: Slice[Any], policy: Policy, divided: Partition
    ) -> Iterator[Call | Known]:
        return self._slices(slice_, divided, 1, HandlerName.RUN_SHARD)
