"""`Level`: how the items of one kind, shards or subtasks, become calls."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from parallelizework.call import Call, Known, SubtaskCall
from parallelizework.outcome import known_values
from parallelizework.overrides import Overrides, headers
from parallelizework.plan import SEGMENT, plan
from parallelizework.policy import Policy
from parallelizework.report import Reports
from parallelizework.rule import Rule
from parallelizework.serde import Json, JsonList

Item = TypeVar("Item")

_UPDATES = 1_000  # reports that a run hears of; they cost less than 1 % of a large one


class Slice(BaseModel, Generic[Item]):
    """Items for one call, as one coordinator hands them to another.

    Attributes:
        first: The index of the first item.
        slots: How many subtasks may be executing at once.
        shard: The index of the shard that they were expanded from.
        overrides: What the request says about the policy.
        rule: When to end early, or what is left of it.
        reports: What the one who made the call wants to hear meanwhile.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    first: int = 0
    slots: int
    items: list[Item]
    shard: int | None = None
    overrides: Overrides = {}
    rule: Rule = Rule()
    reports: Reports | None = None

    def cut(self, start: int, end: int, slots: int, rule: Rule) -> "Slice[Any]":
        """A part of this slice, with its share of the slots."""
        return Slice[Any](
            first=self.first + start,
            slots=slots,
            items=self.items[start:end],
            shard=self.shard,
            overrides=self.overrides,
            rule=rule,
        )


@dataclass(frozen=True)
class Calls:
    """What a coordinator sends.

    Attributes:
        calls: In the order of their items.
        window: How many may be in flight at once.
    """

    calls: Iterator[Call | Known]
    window: int


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
        self.slice = Json[Slice[Any]](Slice[Any], f"a slice of {service}")
        self._service = service
        self._item = Json[Any](
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
        free = max(1, part.slots // batch)
        units = ceil(len(part.items) / unit)
        made = plan(units, free, wide=self._shards, segment=self._segment)
        if made.direct and unit == 1 and not self._shards:
            return Calls(self._subtasks(part, policy), made.window)
        handler = self._one if made.direct else self._many
        slots = min(part.slots, made.slots * batch)
        ends = accumulate((size * unit for size in made.sizes), initial=0)
        cuts = (part.cut(*span, slots, rest()) for span in pairwise(ends))
        updates = part.reports.updates if part.reports else _UPDATES
        share = updates / max(1, len(part.items))
        return Calls(self._slices(cuts, handler, caller, share), made.window)

    @property
    def _one(self) -> str:
        return "runShard" if self._shards else "runBatch"

    def _subtasks(self, part: Slice[Any], policy: Policy) -> Iterator[Call | Known]:
        policy_headers = headers(part.overrides)
        known = known_values(part.items) if self._gives_done else {}
        for place, item in enumerate(part.items):
            if place in known:
                yield Known(known[place])
                continue
            yield SubtaskCall(
                self._executor,
                "runSubtask",
                self._item.serialize(item),
                policy_headers,
                index=part.first + place,
                shard=part.shard,
                subtask=item,
                timeout=policy.subtask_timeout,
            )

    def _slices(
        self, cuts: Iterable[Slice[Any]], handler: str, caller: str, share: float
    ) -> Iterator[Call]:
        for place, part in enumerate(cuts):
            reports = handler != "runBatch"  # it is one step, and cannot
            if reports:
                successes, others = part.rule.steps
                part.reports = Reports(
                    to=caller,
                    name=str(place),
                    successes=successes,
                    others=others,
                    updates=ceil(share * len(part.items)),
                )
            yield Call(
                self._executor if handler == "runBatch" else self._service,
                handler,
                self.slice.serialize(part),
                name=f"shard {part.first}" if handler == "runShard" else "",
                reports=reports,
            )
