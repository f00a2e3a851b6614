"""`History`: the events during the faults, as plain data.

Times are seconds of the machine's monotonic clock.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property


class What(StrEnum):
    """The kinds of events in the ledger."""

    BEGAN = "began"
    ENDED = "ended"
    RAISED = "raised"
    CUT_OFF = "cut off"  # cancelled by its worker after the loss of the server


@dataclass(frozen=True)
class Event:
    """A line of the ledger: an event in an execution of a subtask."""

    run: str
    index: int
    execution: str
    process: int
    at: float
    what: What


@dataclass(frozen=True)
class Execution:
    """One execution of a subtask, with the times of its events."""

    run: str
    index: int
    process: int
    began: float
    ended: float | None = None
    raised: float | None = None
    cut_off: float | None = None


@dataclass(frozen=True)
class Fault:
    """A fault that was injected and repaired.

    Attributes:
        since: The time before the fault.
        until: The time after the repair, or the end of the wait for it.
        processes: The workers whose connections the fault cut. Their subtasks may be
            executed again. Empty if the fault only delayed the workers.
        is_repaired: The site was healthy after the fault.
    """

    kind: str
    since: float
    until: float
    processes: frozenset[int] = frozenset()
    is_repaired: bool = True

    def cuts(self, process: int, began: float, by: float) -> bool:
        """Whether the fault may have cut off an execution of `process` in this time."""
        return process in self.processes and self.since <= by and began <= self.until


@dataclass(frozen=True)
class Reading:
    """The progress of a run at one time.

    Attributes:
        at: The time after the progress was read.
        ended: The run had ended.
    """

    at: float
    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0
    total: int | None = None
    ended: bool = False

    @property
    def settled(self) -> int:
        """The number of subtasks with an outcome."""
        return self.succeeded + self.failed + self.timed_out + self.cancelled


@dataclass(frozen=True)
class Answer:
    """A response to a request for the result of a run.

    Attributes:
        at: The time of the response.
        values: The indexes of the subtasks whose values are in the result, in order.
        failed: The indexes of the subtasks that are reported as failed.
        stamp: Distinguishes this result from another result with the same values.
        error: The reason if there is no result.
    """

    at: float
    values: Sequence[int] = ()
    failed: Sequence[int] = ()
    stamp: str = ""
    error: str | None = None


@dataclass(frozen=True)
class Run:
    """One run: the correct outcomes of its task, and its observed outcomes.

    Attributes:
        subtasks: The number of subtasks.
        slots: The number of subtasks that may execute at once.
        failing: The subtasks that must fail and whose failure is tolerated.
        enough: The number of successes that ends the run; None for all subtasks.
    """

    name: str
    subtasks: int
    slots: int
    failing: frozenset[int] = frozenset()
    enough: int | None = None
    answers: Sequence[Answer] = ()
    readings: Sequence[Reading] = ()


@dataclass(frozen=True)
class History:
    """All observed events.

    Attributes:
        events: The ledger.
        left: Invocations that had not ended after the end of all runs.
    """

    events: Sequence[Event]
    faults: Sequence[Fault] = ()
    runs: Sequence[Run] = ()
    left: Sequence[str] = field(default=())

    @cached_property
    def executions(self) -> Mapping[str, Sequence[Execution]]:
        """The executions of each run, in the order in which they began."""
        found: dict[str, list[Execution]] = defaultdict(list)
        for execution in _executions(self.events):
            found[execution.run].append(execution)
        return found


def _executions(events: Iterable[Event]) -> Iterable[Execution]:
    known: dict[str, Execution] = {}
    for event in sorted(events, key=lambda event: event.at):
        if event.what is What.BEGAN:
            known[event.execution] = Execution(
                event.run, event.index, event.process, event.at
            )
        else:
            ended = {event.what.replace(" ", "_"): event.at}
            known[event.execution] = replace(known[event.execution], **ended)
    return known.values()
