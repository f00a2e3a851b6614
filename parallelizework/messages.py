"""The wire between coordinators: what they call, send and answer. Pure.

A slice goes down: a coordinator calls another one with a `Slice` of its items. Outcomes
come up: the answer to the call is `Outcomes`. While a call is in flight, Restate
signals of two kinds pass between the two invocations: slots go down, reports come up.

How slots are leased and returned
    A slot is the right to execute one subtask now. `run` has `max_concurrency` of them,
    and nobody makes new ones. So all coordinators together start no more.

    1. Lease. Each call costs slots: a subtask costs one, a batch as many as it may have
       subtasks. A call of a coordinator leases a share of them (`Slice.slots`), and
       uses them for its own calls in the same way.
    2. Grow. When slots become free, the caller leases them to calls in flight: first to
       those that have less than their share; when no call is left to start, to all that
       can use more. It sends the signal `slots.N` to the called invocation, with the
       number of added slots; N counts these signals from 0.
    3. Return. When a called coordinator has no call left to start, it needs fewer slots
       with each call that ends. It returns them in its next `Report`, long before its
       last subtask ends. A report says how many were returned so far, so a report that
       is repeated changes nothing. A call that has returned slots gets no more.
    4. End. When the call ends, or is given up after its timeout, the caller has all of
       its slots again.

A report also says how far the called coordinator has come, so that a completion rule
over many slices ends the run in time. The caller asks for reports by `ReportRequest`;
report N is the signal `NAME.N` of the caller's invocation.
"""

from collections import Counter
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from parallelizework.completion import Rule
from parallelizework.outcomes import Counts, Failure
from parallelizework.policy import Overrides

Item = TypeVar("Item")

REASON = "completion_reason"  # in the metadata of the error that a run ends with

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


class ReportRequest(BaseModel):
    """Which reports a coordinator wants from another one that it calls.

    Attributes:
        to: Its own invocation id.
        name: The name of its signals, before the number.
        successes: Report after this many successes; 0 if successes end nothing.
        others: The same for other outcomes.
        updates: How many reports to send for progress, about.
    """

    model_config = _CONFIG

    to: str
    name: str
    successes: int
    others: int
    updates: int


class Report(BaseModel):
    """How far a called coordinator has come.

    Attributes:
        counts: How many of its subtasks have ended.
        returned: How many slots it has returned so far.
    """

    model_config = _CONFIG

    counts: Counts
    returned: int


class Slice(BaseModel, Generic[Item]):
    """A bounded part of the items of a run, for one call.

    Attributes:
        run: The id of the run, for logs.
        first: The index of the first item.
        slots: How many subtasks of the slice may be executing at once.
        shard: The index of the shard that the items were expanded from.
        overrides: What the request says about the policy.
        rule: When to end early: what is left of the rule of the run.
        report_request: Which reports the caller wants.
    """

    model_config = _CONFIG

    run: str = ""
    first: int = 0
    slots: int
    items: list[Item]
    shard: int | None = None
    overrides: Overrides = {}
    rule: Rule = Rule()
    report_request: ReportRequest | None = None


class Outcomes(BaseModel):
    """The outcomes of a slice.

    Attributes:
        succeeded: How many subtasks have succeeded.
        values: Their values, in order; or fewer, where they are combined.
        cancelled: The slice was cancelled before all of its subtasks had ended.
        after_end: The subtasks that ended after the end of the run: executed, but
            without an outcome.
        unfinished: The subtasks that had not ended when the deadline passed, where the
            run answers then. They are not counted.
    """

    model_config = _CONFIG

    succeeded: int = 0
    cancelled: bool = False
    values: list[Any] = []
    failures: list[Failure[Any]] = []
    after_end: Counts = Counts()
    unfinished: list[Failure[Any]] = []

    @property
    def counts(self) -> Counts:
        """How many outcomes there are."""
        if not self.failures:
            return Counts(succeeded=self.succeeded)
        by_status = Counter(failure.status for failure in self.failures)
        return Counts(succeeded=self.succeeded, **by_status)

    def first(self, successes: int) -> "Outcomes":
        """No more than this many successes, unless they are combined."""
        if self.succeeded <= successes or len(self.values) != self.succeeded:
            return self
        update = {"succeeded": successes, "values": self.values[:successes]}
        return self.model_copy(update=update)
