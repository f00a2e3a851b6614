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
       happens when the caller stops waiting for a call, after its timeout.

    A coordinator returns slots in whole batches only. The caller could not lease a part
    of a batch to another call.

How reports end a run in time
    A report also states how many subtasks have ended in the called coordinator. So the
    caller can apply its completion rule before the slices have ended. The caller asks
    for reports by a `ReportRequest`. Report N is the signal `NAME.N` to the caller's
    invocation, where `NAME` is `ReportRequest.name`. N counts from 0.
"""

from collections import Counter
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from parallelizework.completion import Rule
from parallelizework.outcomes import Counts, Failure
from parallelizework.policy import Overrides

Item = TypeVar("Item")

REASON = "completion_reason"  # the key in the metadata of the error of a failed run

_CONFIG = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class HandlerName(StrEnum):
    """The handlers of a fan-out's service."""

    RUN = "run"
    RUN_SUBTASK = "runSubtask"
    RUN_BATCH = "runBatch"
    RUN_SEGMENT = "runSegment"
    RUN_SHARD = "runShard"
    RUN_SHARDS = "runShards"
    AWAIT_RESUME = "awaitResume"


COORDINATORS = (
    HandlerName.RUN,
    HandlerName.RUN_SEGMENT,
    HandlerName.RUN_SHARD,
    HandlerName.RUN_SHARDS,
)


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
    """

    model_config = _CONFIG

    counts: Counts
    returned: int


class Slice(BaseModel, Generic[Item]):
    """A bounded part of the items of a run, for one call.

    Attributes:
        run: The id of the run and its labels, for logs.
        first: The index of the first item.
        slots: How many slots the call has.
        items: The items, as plain JSON: subtasks or shards.
        shard: The index of the shard that the items were expanded from, if any.
        overrides: The fields of the policy that the request overrides.
        is_slow: Whether the subtasks of the run end slowly; None if that is not known
            yet.
        seconds: How long one subtask takes, if coordinators decide about the size of
            batches, and know it.
        rule: The completion rule for the slice: what remains of the rule of the run.
        report_request: Which reports the caller wants; None for no reports.
    """

    model_config = _CONFIG

    run: str = ""
    first: int = 0
    slots: int
    items: list[Item]
    shard: int | None = None
    overrides: Overrides = {}
    is_slow: bool | None = None
    seconds: float | None = None
    rule: Rule = Rule()
    report_request: ReportRequest | None = None


class Outcomes(BaseModel):
    """The outcomes of a slice.

    Attributes:
        succeeded: How many subtasks have succeeded.
        cancelled: The slice was cancelled before all of its subtasks had ended.
        values: The values of these subtasks, in order; fewer if they are combined.
        failures: The subtasks that did not succeed, in order.
        after_end: How many subtasks ended after the rule had ended the slice. They were
            executed, but their outcomes do not count.
        unfinished: The subtasks that had not ended when the deadline passed, if the run
            answers at its deadline. They are not counted.
        seconds: How long one subtask takes on one slot; None if nobody needs that.
    """

    model_config = _CONFIG

    succeeded: int = 0
    cancelled: bool = False
    values: list[Any] = []
    failures: list[Failure[Any]] = []
    after_end: Counts = Counts()
    unfinished: list[Failure[Any]] = []
    seconds: float | None = None

    @property
    def counts(self) -> Counts:
        """How many subtasks have an outcome, by outcome."""
        if not self.failures:
            return Counts(succeeded=self.succeeded)
        by_status = Counter(failure.status for failure in self.failures)
        return Counts(succeeded=self.succeeded, **by_status)

    def first(self, successes: int) -> "Outcomes":
        """Return at most this many successes; all of them if they are combined."""
        if self.succeeded <= successes or len(self.values) != self.succeeded:
            return self
        update = {"succeeded": successes, "values": self.values[:successes]}
        return self.model_copy(update=update)
