"""`History`: what happened while things broke, as plain data.

Times are seconds of the machine's monotonic clock.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property


class What(StrEnum):
    """What an execution of a subtask may write into the ledger."""

    BEGAN = "began"
    ENDED = "ended"
    RAISED = "raised"
    CUT_OFF = "cut off"  # cancelled by its worker, which had lost the server


@dataclass(frozen=True)
class Event:
    """A line of the ledger: what happened in an execution of a subtask."""

    run: str
    index: int
    execution: str
    process: int
    at: float
    what: What


@dataclass(frozen=True)
class Execution:
    """One execution of a subtask, and when it ended in one way or another."""

    run: str
    index: int
    process: int
    began: float
    ended: float | None = None
    raised: float | None = None
    cut_off: float | None = None


@dataclass(frozen=True)
class Fault:
    """Something that was broken, and repaired again.

    Attributes:
        since: Just before it was broken.
        until: When all was well again, or nobody waited any longer.
        processes: The workers whose connections it cut; what they were executing may
            be executed again. None of them, where it only held them up.
        is_repaired: All was well again.
    """

    kind: str
    since: float
    until: float
    processes: frozenset[int] = frozenset()
    is_repaired: bool = True

    def cuts(self, process: int, began: float, by: float) -> bool:
        """Whether it may have cut off what `process` was executing between the two."""
        return process in self.processes and self.since <= by and began <= self.until


@dataclass(frozen=True)
class Reading:
    """The progress of a run, as somebody read it.

    Attributes:
        at: When it had been read.
        ended: The run had ended by then.
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
        """How many subtasks had an outcome."""
        return self.succeeded + self.failed + self.timed_out + self.cancelled


@dataclass(frozen=True)
class Answer:
    """What somebody got who asked for the result of a run.

    Attributes:
        at: When it had come.
        values: The indexes of the subtasks whose values are in it, in its order.
        failed: The indexes of those that it names as failed.
        stamp: What tells it from another result of the same values.
        error: Why there is no result.
    """

    at: float
    values: Sequence[int] = ()
    failed: Sequence[int] = ()
    stamp: str = ""
    error: str | None = None


@dataclass(frozen=True)
class Run:
    """One run: what its task asks for, and what was seen of it.

    Attributes:
        subtasks: How many there are.
        slots: How many of them may be executing at once.
        failing: Those that must fail, and whose failure is tolerated.
        enough: So many successes end it; None for all of them.
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
    """All that was seen.

    Attributes:
        events: The ledger.
        left: Invocations that had not ended when all runs had.
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
