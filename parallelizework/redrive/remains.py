"""`Remains`: what a run has when it ends, and what a redrive makes of it. Pure.

A redrive executes items that have no value. Then it puts the old and the new values
into the order of the split.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from parallelizework.messages import Expanded, FullIndex, Outcomes, Rest, expanded
from parallelizework.outcomes import Failure, Fault, in_order, is_known
from parallelizework.redrive.models import Index, Selection

_CONFLICT = 409


@dataclass(frozen=True)
class Items:
    """Items to execute, as plain JSON.

    Attributes:
        indexes: The index of each item, in order.
        items: Subtasks; or shards, with `expand`.
    """

    indexes: list[int]
    items: list[Any]


@dataclass(frozen=True)
class Remains:
    """The outcomes of a run at its end.

    Attributes:
        succeeded: How many subtasks have succeeded.
        values: Their values, in order; fewer if they are combined.
        failures: The subtasks that did not succeed, and why.
        rest: The subtasks without an outcome.
        shards: The shards without an outcome, by index.
        shard_values: How many of the values belong to each shard.
        gaps: The full indexes that have no value.
    """

    succeeded: int
    values: list[Any]
    failures: list[Failure[Any]]
    rest: dict[FullIndex, Any]
    shards: dict[int, Any]
    shard_values: dict[int, int]
    gaps: frozenset[FullIndex]

    @classmethod
    def of(cls, outcomes: Outcomes) -> "Remains":
        """Return what remains of a run with these outcomes."""
        rest: dict[FullIndex, Any] = {}
        shards: dict[int, Any] = {}
        for each in outcomes.rest:
            rest |= dict(each.subtasks())
            if each.are_shards:
                shards |= {
                    at: item for at, item in each.indexed() if not expanded(item)
                }
        return cls(
            succeeded=outcomes.all_successes,
            values=outcomes.values,
            failures=outcomes.all_failures,
            rest=rest,
            shards=shards,
            shard_values=outcomes.shard_values,
            gaps=frozenset([*map(_full_index, outcomes.all_failures), *rest]),
        )

    def selected(
        self,
        selection: Selection,
        name_of: Callable[[Any], str | None] | None = None,
    ) -> tuple[Items, "Remains"]:
        """Return the items to execute, and what remains without them.

        Subtasks without an outcome that are left out become failures: cancelled.

        Args:
            selection: Which subtasks to execute.
            name_of: Returns the name of an item; None if the items have no names.

        Raises:
            LookupError: A selected subtask has a value, or does not exist.
        """
        chosen = set(selection.indexes or ())
        failed_only = selection.failed_only
        found: dict[FullIndex, Any] = {}
        failures: list[Failure[Any]] = []
        for failure in self.failures:
            is_left_out = failed_only and failure.status == "cancelled"
            if is_left_out or (chosen and _index(_full_index(failure)) not in chosen):
                failures.append(failure)
            else:
                found[_full_index(failure)] = failure.subtask
        for full_index, item in self.rest.items():
            is_left_out = failed_only or (chosen and _index(full_index) not in chosen)
            if is_left_out and not is_known(item):  # a known value costs nothing
                name = name_of(item) if name_of else None
                failures.append(_left_out(full_index, item, name))
            else:
                found[full_index] = item
        if others := chosen - set(map(_index, found)):
            raise LookupError(", ".join(sorted(map(str, others))[:3]))
        has_all = not (failed_only or chosen)
        shards = {} if has_all else self.shards
        left = replace(self, failures=failures, rest={}, shards=shards)
        return _items(found, self.shards if has_all else {}), left

    def merged(self, new: Outcomes, *, combines: bool) -> Outcomes:
        """Return the outcomes of a redrive together with what remains without it.

        Args:
            new: The outcomes of the redrive. They count the old successes. If values
                are combined, they have the old values too.
            combines: Whether the fan-out has `combine`.
        """
        update: dict[str, Any] = {
            "failures": in_order([*self.failures, *new.failures]),
            "rest": [*self._rest(), *new.rest],
            "full_indexes": [],
        }
        if not combines:
            by_index = dict(self._with_indexes())
            by_index |= dict(zip(new.full_indexes, new.values, strict=True))
            ordered = sorted(by_index, key=_order)
            counts: dict[int, int] = {}
            for shard, _ in ordered:
                if shard is not None:
                    counts[shard] = counts.get(shard, 0) + 1
            values = [by_index[full_index] for full_index in ordered]
            update |= {"values": values, "shard_values": counts}
        return new.model_copy(update=update)

    def full_indexes(self) -> list[FullIndex]:
        """Return the full indexes of the values, in order."""
        return [full_index for full_index, _ in self._with_indexes()]

    def _with_indexes(self) -> Iterator[tuple[FullIndex, Any]]:
        """The values with their full indexes: all in order, without the gaps."""
        counts: dict[int | None, int] = {None: len(self.values)}
        if self.shard_values:
            counts = dict(sorted(self.shard_values.items()))
        values = iter(self.values)
        for shard, count in counts.items():
            index = 0
            for _ in range(count):
                while (shard, index) in self.gaps:
                    index += 1
                yield (shard, index), next(values)
                index += 1

    def _rest(self) -> Iterator[Rest]:
        """The shards that are left out."""
        if self.shards:
            indexes, items = list(self.shards), list(self.shards.values())
            yield Rest(first=0, indexes=indexes, are_shards=True, items=items)


def _items(found: dict[FullIndex, Any], shards: dict[int, Any]) -> Items:
    """The items for some subtasks and shards.

    Subtasks of a shard become one item, instead of the shard.
    """
    items = dict(shards)
    of_shards: dict[int, Expanded] = {}
    for shard, index in sorted(found, key=_order):
        if shard is None:
            items[index] = found[shard, index]
            continue
        part = of_shards.setdefault(shard, Expanded(indexes=[], subtasks=[]))
        part.indexes.append(index)
        part.subtasks.append(found[shard, index])
    items |= {shard: part.as_item() for shard, part in of_shards.items()}
    indexes = sorted(items)
    return Items(indexes, [items[index] for index in indexes])


def _left_out(full_index: FullIndex, subtask: object, name: str | None) -> Failure[Any]:
    message = "it was left out of the redrive"
    fault = Fault(status="cancelled", message=message, code=_CONFLICT)
    shard, index = full_index
    return fault.failure(subtask, index=index, shard=shard, name=name)


def _full_index(failure: Failure[Any]) -> FullIndex:
    return failure.shard, failure.index


def _index(full_index: FullIndex) -> Index:
    """A full index as users name it."""
    shard, index = full_index
    return index if shard is None else (shard, index)


def _order(full_index: FullIndex) -> tuple[int, int]:
    return full_index[0] or 0, full_index[1]
