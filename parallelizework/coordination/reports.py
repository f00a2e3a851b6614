"""Reports: a coordinator sends its progress and its returned slots to its caller.

`messages.py` describes the protocol.
"""

from typing import Protocol

from restate import Context

from parallelizework.coordination.fan_in import FanIn
from parallelizework.messages import Report, ReportRequest, Slice
from parallelizework.outcomes import Counts
from parallelizework.serde.message import Message

report_json = Message[Report](Report, "a report")
slots_json = Message[int](int, "a number of slots")


def report_name(name: str, number: int) -> str:
    """Return the name of the signal of one report."""
    return f"{name}.{number}"


def slots_name(number: int) -> str:
    """Return the name of a signal by which a caller leases more slots."""
    return f"slots.{number}"


class ItemKind(Protocol):
    """The kind of items of a slice: subtasks or shards.

    Attributes:
        report_every: How many items end between two reports for progress, at least.
    """

    report_every: int

    def items_ended(self, fan_in: FanIn) -> int:
        """Return how many items have ended."""
        ...


class SignalReporter:
    """Sends the reports that a caller wants, each as one signal.

    Attributes:
        is_open: Whether the caller wants reports.
    """

    def __init__(self, ctx: Context, slice_: Slice[object], kind: ItemKind) -> None:
        self._ctx = ctx
        self._request = slice_.report_request
        self.is_open = slice_.report_request is not None
        self._kind = kind
        updates = slice_.report_request.updates if slice_.report_request else 1
        self._step = max(kind.report_every, len(slice_.items) // updates)
        self._next = 0
        self._counts = Counts()  # in the last report, like `_ended` and `_returned`
        self._ended = 0
        self._returned = 0
        self._waiting = 0

    def send(self, fan_in: FanIn, returned: int) -> None:
        """Send a report, if enough has happened since the last one.

        Args:
            fan_in: The outcomes of the coordinator so far.
            returned: How many slots the coordinator has returned so far.
        """
        request, counts = self._request, fan_in.counts
        assert request, "the caller wants reports"
        ended = self._kind.items_ended(fan_in)
        if (
            ended - self._ended < self._step
            and returned <= self._returned
            and abs(fan_in.waiting - self._waiting) < self._step
            and not _may_end_run(request, counts - self._counts)
        ):
            return
        name = report_name(request.name, self._next)
        waiting = self._waiting = fan_in.waiting
        report = Report(counts=counts, returned=returned, waiting=waiting)
        self._ctx.resolve_signal(request.to, name, report, serde=report_json)
        self._counts, self._ended, self._returned = counts, ended, returned
        self._next += 1


def _may_end_run(request: ReportRequest, new: Counts) -> bool:
    """Whether there are so many new outcomes that they may end the run."""
    others = new.settled - new.succeeded
    has_successes = 0 < request.successes <= new.succeeded
    return has_successes or 0 < request.others <= others
