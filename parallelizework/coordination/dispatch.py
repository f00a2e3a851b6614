"""`Level`: how the items of one kind, shards or subtasks, become calls."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil
from typing import Any

from parallelizework.completion import Rule
from parallelizework.coordination.calls import Call, Known, SubtaskCall
from parallelizework.coordination.partition import SEGMENT, Plan, plan
from parallelizework.coordination.reports import Reports
from parallelizework.coordination.slice import Slice, SliceCall
from parallelizework.outcomes import known_values
from parallelizework.overrides import headers
from parallelizework.policy import Policy
from parallelizework.serde import JsonList, Message
from parallelizework.subtask_name import SubtaskName

_UPDATES = 1_000  # reports that a run hears of; they cost less than 1 % of a large one


@dataclass(frozen=True)
class Calls:
    """What a coordinator sends.

    Attributes:
        calls: In the order of their items.
        places: How many it has: as many subtasks, or batches, may be executing at once.
        share: How many of them a call is given, while there are others to be made.
        most: How many of them a call can make use of.
    """

    calls: Iterator[Call | Known]
    places: int
    share: int
    most: int


class Level:
    """How the items of one kind are executed.

    Args:
        service: The service that coordinates them.
        item: The type of an item.
        executor: The service of `runSubtask` and `runBatch`, if it is another one.
        many: The handler of a slice that is too large for one coordinator.
        shards: The items are shards: one can make several calls at once.
        gives_done: There may be a `Done` among the items.
        segment: How many units a coordinator calls itself, at most.
    """

    def __init__(  # noqa: PLR0913 - what differs between the two levels
        self,
        service: str,
        item: object,
        *,
        many: str,
        executor: str = "",
        shards: bool = False,
        gives_done: bool = False,
        segment: int = SEGMENT,
    ) -> None:
        self.items = JsonList(
            item,
            f"the list of subtasks of {service}",
            remedy="split into shards, and expand each where it is executed",
        )
        self.slice = Message[Slice[Any]](Slice[Any], f"a slice of {service}")
        self._service = service
        self._item = Message[Any](
            Any,
            f"a subtask of {service}",
            remedy="let it be a reference instead, such as a path or a key",
        )
        self._executor = executor or service
        self._many = many
        self._shards = shards
        self._gives_done = gives_done
        self._segment = segment

    def calls(
        self, part: Slice[Any], policy: Policy, rest: Callable[[], Rule], caller: str
    ) -> Calls:
        """Plan the calls for a slice.

        Args:
            policy: What holds for this run.
            rest: What is left of the rule when a call is made.
            caller: The invocation id of the coordinator.
        """
        batch = policy.max_items_per_batch
        unit = 1 if self._shards else batch  # items
        places = max(1, part.slots // batch)
        units = ceil(len(part.items) / unit)
        made = plan(units, places, wide=self._shards, segment=self._segment)
        if made.direct and unit == 1 and not self._shards:
            calls = self._subtasks(part, policy)
            return Calls(calls, places, made.share, made.most)
        ends = accumulate((size * unit for size in made.sizes), initial=0)
        cuts = (part.cut(*span, rest()) for span in pairwise(ends))
        calls = self._slices(cuts, part, made, batch, caller)
        return Calls(calls, places, made.share, made.most)

    @property
    def _one(self) -> str:
        return "runShard" if self._shards else "runBatch"

    def _subtasks(self, part: Slice[Any], policy: Policy) -> Iterator[Call | Known]:
        policy_headers = headers(part.overrides)
        known = known_values(part.items) if self._gives_done else {}
        for position, item in enumerate(part.items):
            if position in known:
                yield Known(known[position])
                continue
            name = SubtaskName(part.run, part.first + position, part.shard)
            yield SubtaskCall(
                self._executor,
                "runSubtask",
                self._item.serialize(item),
                part.first + position,
                part.shard,
                item,
                headers=policy_headers | name.header,
                timeout=policy.subtask_timeout,
            )

    def _slices(
        self,
        cuts: Iterable[Slice[Any]],
        whole: Slice[Any],
        made: Plan,
        batch: int,
        caller: str,
    ) -> Iterator[Call]:
        handler = self._one if made.direct else self._many
        updates = whole.reports.updates if whole.reports else _UPDATES
        share = updates / max(1, len(whole.items))
        reports = handler != "runBatch"  # it is one step, and cannot
        for position, part in enumerate(cuts):
            if reports:
                successes, others = part.rule.steps
                part.reports = Reports(
                    to=caller,
                    name=str(position),
                    successes=successes,
                    others=others,
                    updates=ceil(share * len(part.items)),
                )
            yield SliceCall(
                self._executor if handler == "runBatch" else self._service,
                handler,
                part,
                self.slice,
                min(whole.slots, batch),
                name=f"shard {part.first}" if handler == "runShard" else "",
                reports=reports,
            )
