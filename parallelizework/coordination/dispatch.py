"""Dispatch: turns the items of a slice into calls."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from parallelizework.coordination.planning.pace import Pace
from parallelizework.coordination.planning.partition import (
    SEGMENT,
    Partition,
    partition,
)
from parallelizework.definition.definition import Definition
from parallelizework.definition.execute import REFERENCE
from parallelizework.headers import SUBTASK_HEADER, SubtaskId, policy_headers
from parallelizework.messages import FullIndex, HandlerName, Slice
from parallelizework.outcomes import known_values
from parallelizework.policy import WINDOW, Policy
from parallelizework.progress.update_limit import update_limit
from parallelizework.serde.message import Message


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
        # With `combine`, a coordinator has few subtasks: so it holds few values. And if
        # subtasks wait, each late answer costs a replay of the coordinator's journal.
        is_short = definition.combine or definition.may_wait
        self._segment = WINDOW if is_short else SEGMENT

    def calls(self, slice_: Slice[Any], policy: Policy, pace: Pace) -> Calls:
        """Return the calls for a slice.

        Args:
            slice_: The slice.
            policy: The policy of the run.
            pace: How fast the subtasks of the run end, as far as is known.
        """
        if policy.is_automatic and not self._is_wide:
            cost = ceil(slice_.slots / WINDOW)
            part = Part(slice_, 1, cost, slice_.slots // cost)
            calls = self._automatic(part, policy, pace)
        else:
            cost = min(slice_.slots, policy.batch)
            at_once = max(1, slice_.slots // policy.batch)
            part = Part(slice_, self._unit(policy.batch), cost, at_once)
            calls = self._calls(part, policy, pace)
        return Calls(calls, slice_.slots, cost)

    def _calls(
        self, part: "Part", policy: Policy, pace: Pace
    ) -> Iterator[Call | Known]:
        is_narrow = part.at_once <= WINDOW and not self._is_wide
        is_large = part.units > self._segment
        if part.whole.is_slow is None and is_narrow and is_large:
            # The duration of the first ones tells how to divide the others.
            yield from self._units(part, policy, self._divide(part, WINDOW))
            part = part.after(WINDOW, WINDOW * part.unit)
        yield from self._divided(part, policy, pace)

    def _automatic(
        self, part: "Part", policy: Policy, pace: Pace
    ) -> Iterator[Call | Known]:
        """The calls, if this coordinator decides how many subtasks a batch has."""
        is_known = pace.seconds is not None
        while part.left:
            items = part.whole.items
            unit = pace.batch(items, part.start, part.cost, part.at_once)
            part = replace(part, unit=unit)
            calls = part.position + part.units  # of this coordinator
            if calls > self._segment and (is_known or part.position >= WINDOW):
                yield from self._divided(part, policy, pace)
                return
            yield from self._units(part, policy, self._divide(part, 1))
            part = part.after(1, part.unit)

    def _divided(
        self, part: "Part", policy: Policy, pace: Pace
    ) -> Iterator[Call | Known]:
        """Calls for units, or calls of other coordinators for slices."""
        slow = bool(pace.is_slow)
        divided = self._divide(part, part.units, slow=slow)
        if divided.direct:
            return self._units(part, policy, divided)
        return self._slices(part, divided, self._slice_handler, is_slow=slow)

    def _divide(self, part: "Part", units: int, *, slow: bool = False) -> Partition:
        return partition(
            units, part.at_once, wide=self._is_wide, segment=self._segment, slow=slow
        )

    def items_ended(self, fan_in: FanIn) -> int:
        """Return how many items have ended."""
        return fan_in.counts.settled

    def _unit(self, batch: int) -> int:
        """How many items one unit of work has: the size of a batch."""
        return batch

    def _units(
        self, part: "Part", policy: Policy, divided: Partition
    ) -> Iterator[Call | Known]:
        if policy.max_items_per_batch != 1:
            return self._slices(part, divided, HandlerName.RUN_BATCH)
        return self._subtasks(part, policy, len(divided.sizes))

    def _subtasks(
        self, part: "Part", policy: Policy, count: int
    ) -> Iterator[Call | Known]:
        definition, slice_ = self._definition, part.whole
        policy_header = policy_headers(slice_.overrides)
        shard, name_of = slice_.shard, definition.name_of
        items = slice_.items[part.start : part.start + count]
        known = known_values(items) if definition.may_have_done else {}
        for number, item in enumerate(items):
            position, index = (
                part.position + number,
                slice_.index_of(part.start + number),
            )
            full_indexes: list[FullIndex] = (
                [] if slice_.indexes is None else [(shard, index)]
            )
            if number in known:
                yield Known(position, known[number], full_indexes)
                continue
            name = name_of(item) if name_of else None
            subtask_id = SubtaskId(slice_.run, index, shard, name)
            yield SubtaskCall(
                position=position,
                service=definition.executor,
                handler=HandlerName.RUN_SUBTASK,
                timeout=policy.subtask_timeout,
                subtask=item,
                body=self._item_json.serialize(item),
                headers=policy_header | {SUBTASK_HEADER: str(subtask_id)},
                index=index,
                shard=shard,
                name=name,
                full_indexes=full_indexes,
            )

    def _slices(
        self,
        part: "Part",
        divided: Partition,
        handler: HandlerName,
        *,
        is_slow: bool | None = None,
    ) -> Iterator[Call]:
        whole = part.whole
        updates = update_limit.updates
        if whole.report_request:
            updates = whole.report_request.updates
        updates_each = updates / max(1, len(whole.items))
        is_batch = handler is HandlerName.RUN_BATCH  # only its answer is durable
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
                name_of=definition.name_of if is_batch else None,
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
        at_once: How many units may be executed at the same time.
        position: The position of the next call.
        start: The position of the next item in `whole.items`.
    """

    whole: Slice[Any]
    unit: int
    cost: int
    at_once: int
    position: int = 0
    start: int = 0

    @property
    def left(self) -> int:
        """The number of items."""
        return len(self.whole.items) - self.start

    @property
    def units(self) -> int:
        """The number of units."""
        return ceil(self.left / self.unit)

    def after(self, calls: int, items: int) -> "Part":
        """Return what is left after some calls with some items."""
        return replace(self, position=self.position + calls, start=self.start + items)
