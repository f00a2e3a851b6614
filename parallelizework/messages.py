"""The messages between coordinators: what they call, send and answer. Pure.

A slice goes down: a coordinator calls another coordinator with a `Slice` of its items.
Outcomes come up: the answer to the call is `Outcomes`. While a call is in flight, the
two invocations send Restate signals to each other: slots go down, reports come up.

How slots are leased and returned
    A slot is the right to execute one subtask now. `run` has `max_concurrency` slots,
    and no coordinator creates slots. So all coordinators of a run together never
    execute more than `max_concurrency` subtasks at the same time.

    1. Lease. A call costs slots. A call of a subtask costs one slot. A call of a batch
       costs `max_items_per_batch` slots, or all slots of its caller if these are fewer.
       With `"auto"`, it costs a 64th of the slots of its caller, but at least one.
       A call of a coordinator leases several slots (`Slice.slots`): its share. The
       called coordinator uses them for its own calls in the same way.
    2. Grow. When slots become free, the caller first leases them to calls in flight
       that have less than their share. Then it starts new calls. Slots may still be
       free, because no call is left to start or the window is full. Then it leases them
       to all calls in flight that can use more. The caller sends the signal `slots.N`
       to the called invocation. The value is the number of added slots. N counts the
       signals of this call from 0.
    3. Return. A called coordinator that has no call left to start needs fewer slots
       after each of its calls ends. It returns these slots in its next `Report`, before
       its own end. A report states the total of returned slots, so reading the same
       report twice is harmless. A call that has returned slots never receives new ones.
    4. End. When the call ends, all of its slots are free again for the caller. The same
       happens when the caller stops waiting for a call, after its timeout; and when
       the answer to the call of a subtask is that the subtask waits for an answer from
       outside (`waiting/models.py`).

    A coordinator returns slots in whole batches only. The caller could not lease a part
    of a batch to another call.

How reports end a run in time
    A report also states how many subtasks have ended in the called coordinator. So the
    caller can apply its completion rule before the slices have ended. The caller asks
    for reports by a `ReportRequest`. Report N is the signal `NAME.N` to the caller's
    invocation, where `NAME` is `ReportRequest.name`. N counts from 0.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from parallelizework.completion import Rule
from parallelizework.outcomes import Counts, Failure, Fault, is_known
from parallelizework.policy import Overrides

Item = TypeVar("Item")

_EXPANDED = "parallelizework.Expanded"  # the JSON field; no user's shard has this name

REASON = "completion_reason"  # the key in the metadata of the error of a failed run

_CONFIG = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class HandlerName(StrEnum):
    """The handlers of a fan-out's service."""

    RUN = "run"
    REDRIVE = "redrive"
    RUN_SUBTASK = "runSubtask"
    RUN_BATCH = "runBatch"
    RUN_SEGMENT = "runSegment"
    RUN_SHARD = "runShard"
    RUN_SHARDS = "runShards"
    AWAIT_RESUME = "awaitResume"
    AWAIT_ANSWER = "awaitAnswer"
    CHECK_ANSWER = "checkAnswer"


COORDINATORS = (
    HandlerName.RUN,
    HandlerName.REDRIVE,
    HandlerName.RUN_SEGMENT,
    HandlerName.RUN_SHARD,
    HandlerName.RUN_SHARDS,
)
RUNS = (HandlerName.RUN, HandlerName.REDRIVE)  # the first coordinator of a run


# The virtual objects that each worker with a fan-out serves.
VIRTUAL_OBJECTS = frozenset({"FanOutProgress", "FanOutRedrive", "FanOutOutcomes"})

# The service, and its handler, that notifies receivers when a run has ended.
NOTIFY, WHEN_DONE = "FanOutNotify", "whenDone"

# The name of the step `aggregate`; the number of subtasks that have succeeded follows.
AGGREGATE_STEP = "aggregate of "


class ReportRequest(BaseModel):
    """Which reports a caller wants from a called coordinator.

    Attributes:
        to: The invocation id of the caller.
        name: The first part of the names of the reports' signals.
        successes: Report after this many new successes. 0: successes cannot end the
            run early.
        others: The same for all other outcomes.
        updates: How many reports to send for progress, approximately.
    """

    model_config = _CONFIG

    to: str
    name: str
    successes: int
    others: int
    updates: int


class Report(BaseModel):
    """The progress of a called coordinator.

    Attributes:
        counts: How many of its subtasks have ended so far, by outcome.
        returned: How many slots it has returned so far.
        waiting: How many of its subtasks wait for an answer.
    """

    model_config = _CONFIG

    counts: Counts
    returned: int
    waiting: int = Field(default=0, exclude_if=operator.not_)


def _is_empty(names: list[str | None]) -> bool:
    return not names


class Slice(BaseModel, Generic[Item]):
    """A bounded part of the items of a run, for one call.

    Attributes:
        run: The id of the run and its labels, for logs.
        first: The index of the first item, if the indexes are consecutive.
        indexes: The index of each item, in a redrive or if outcomes are sent as they
            complete. None for consecutive indexes.
        slots: How many slots the call has.
        items: The items, as plain JSON: subtasks or shards.
        names: The name of each item of a batch, if the fan-out has `name_of`. An
            executor does not have that function. Empty in all other slices.
        shard: The index of the shard that the items were expanded from, if any.
        overrides: The fields of the policy that the request overrides.
        is_slow: Whether the subtasks of the run end slowly; None if that is not known
            yet.
        seconds: How long one subtask takes, if coordinators decide about the size of
            batches, and know it.
        rule: The completion rule for the slice: what remains of the rule of the run.
        report_request: Which reports the caller wants; None for no reports.
        round: How often the run was held before, in the slice of the whole run.
        stream: The id of the run, if its outcomes are sent as they complete. Then the
            slice has indexes, so that each value has a full index.
    """

    model_config = _CONFIG

    run: str = ""
    first: int = 0
    indexes: list[int] | None = None
    slots: int
    items: list[Item]
    names: list[str | None] = Field(default=[], exclude_if=_is_empty)
    shard: int | None = None
    overrides: Overrides = {}
    is_slow: bool | None = None
    seconds: float | None = None
    rule: Rule = Rule()
    report_request: ReportRequest | None = None
    round: int = 0
    stream: str | None = None

    def index_of(self, position: int) -> int:
        """Return the index of an item, from its position in `items`."""
        return self.indexes[position] if self.indexes else self.first + position

    def name_of(self, position: int) -> str | None:
        """Return the name of an item of a batch, from its position in `items`."""
        return self.names[position] if self.names else None

    def indexes_of(self, start: int, end: int) -> list[int] | None:
        """Return the indexes of some items; None if they are consecutive."""
        return None if self.indexes is None else self.indexes[start:end]


class Rest(BaseModel):
    """Items of a slice that have no outcome, because the slice has ended before.

    Attributes:
        first: The index of the first item, if the indexes are consecutive.
        indexes: The index of each item; None for consecutive indexes.
        shard: The index of the shard that the items were expanded from, if any.
        are_shards: Whether the items are shards.
        items: The items, as plain JSON.
    """

    model_config = _CONFIG

    first: int
    indexes: list[int] | None = None
    shard: int | None = None
    are_shards: bool = False
    items: list[Any]

    def indexed(self) -> Iterator[tuple[int, Any]]:
        """Yield each item with its index."""
        indexes = self.indexes or range(self.first, self.first + len(self.items))
        return zip(indexes, self.items, strict=True)

    def failures(
        self, name_of: Callable[[Any], str | None] | None = None
    ) -> list[Failure[Any]]:
        """Return the subtasks as failures: they had not ended at the deadline.

        Subtasks that are `Done` are no failures. Most shards have no subtasks yet.

        Args:
            name_of: Returns the name of an item; None if the items have no names.
        """
        return [
            Fault.unfinished().failure(
                item,
                index=index,
                shard=shard,
                name=name_of(item) if name_of else None,
            )
            for (shard, index), item in self.subtasks()
            if not is_known(item)
        ]

    def subtasks(self) -> Iterator[tuple["FullIndex", Any]]:
        """Yield each subtask with its full index.

        A shard has subtasks here only if a redrive has expanded it.
        """
        for index, item in self.indexed():
            if not self.are_shards:
                yield (self.shard, index), item
            elif part := expanded(item):
                for inner, subtask in zip(part.indexes, part.subtasks, strict=True):
                    yield (index, inner), subtask


class Expanded(BaseModel):
    """The subtasks of a shard that a redrive executes, instead of the shard.

    Attributes:
        indexes: The indexes of the subtasks in the shard.
        subtasks: The subtasks, as plain JSON.
    """

    model_config = _CONFIG

    indexes: list[int]
    subtasks: list[Any]

    def as_item(self) -> dict[str, Any]:
        """Return the subtasks as one item of a slice of shards."""
        return {_EXPANDED: self.model_dump(mode="json")}


def expanded(item: object) -> Expanded | None:
    """Return the subtasks that an item of a slice of shards has; None for a shard."""
    if isinstance(item, dict) and list(item) == [_EXPANDED]:  # pyright: ignore[reportUnknownArgumentType] - of any type
        return Expanded.model_validate(item[_EXPANDED])
    return None


FullIndex = tuple[int | None, int]  # the index of a shard, if any, and of a subtask


class Outcomes(BaseModel):
    """The outcomes of a slice.

    The completion rule decides which outcomes count. If the run has failed, a redrive
    needs the others too. So a slice of a run that can be redriven also returns values
    and failures that do not count, and the items without an outcome.

    Attributes:
        succeeded: How many subtasks have succeeded.
        cancelled: The slice was cancelled before all of its subtasks had ended.
        values: The values of these subtasks, in order; fewer if they are combined. If a
            rule has failed the slice, with the values of subtasks that ended later.
        failures: The subtasks that did not succeed, in order.
        after_end: How many subtasks ended after the rule had ended the slice. They were
            executed, but their outcomes do not count.
        late_successes: How many subtasks succeeded after a rule had failed the slice.
        late_failures: The subtasks that failed after a rule had failed the slice.
        rest: The items that have no outcome, if the run may be redriven, or answers at
            its deadline. They are not counted.
        shard_values: How many of the values belong to each shard. Empty if there are no
            shards, or if values are combined.
        full_indexes: The full index of each value, if the slice has indexes.
        streamed: How many outcomes were sent as they completed.
        error: The error that has ended the slice and that is not an outcome of a
            subtask, if any.
        seconds: How long one subtask takes on one slot; None if nobody needs that.
    """

    model_config = _CONFIG

    succeeded: int = 0
    cancelled: bool = False
    values: list[Any] = []
    failures: list[Failure[Any]] = []
    after_end: Counts = Counts()
    late_successes: int = 0
    late_failures: list[Failure[Any]] = []
    rest: list[Rest] = []
    shard_values: dict[int, int] = {}
    full_indexes: list[FullIndex] = []
    streamed: int = 0
    error: Fault | None = None
    seconds: float | None = None

    @property
    def counts(self) -> Counts:
        """How many subtasks have an outcome, by outcome."""
        if not self.failures:
            return Counts(succeeded=self.succeeded)
        by_status = Counter(failure.status for failure in self.failures)
        return Counts(succeeded=self.succeeded, **by_status)

    @property
    def all_successes(self) -> int:
        """How many subtasks have succeeded, also those that do not count."""
        return self.succeeded + self.late_successes

    @property
    def all_failures(self) -> list[Failure[Any]]:
        """The subtasks that did not succeed, also those that do not count."""
        return [*self.failures, *self.late_failures]

    def first(self, successes: int) -> "Outcomes":
        """Return at most this many successes; all of them if they are combined."""
        if self.succeeded <= successes or len(self.values) != self.succeeded:
            return self
        update = {
            "succeeded": successes,
            "values": self.values[:successes],
            "full_indexes": self.full_indexes[:successes],
        }
        return self.model_copy(update=update)
