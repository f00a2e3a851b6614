"""Reports: how a coordinator says to its caller how far it has come.

`messages.py` says what the signals are for.
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
    """The name of the signal of one report."""
    return f"{name}.{number}"


def grown_name(number: int) -> str:
    """The name of a signal by which a coordinator leases more slots."""
    return f"slots.{number}"


class ItemKind(Protocol):
    """What kind of items a slice has.

    Attributes:
        report_every: A report is worth its cost after this many items.
    """

    report_every: int

    def items_ended(self, fan_in: FanIn) -> int:
        """How many items have ended."""
        ...


class SignalReporter:
    """Sends the reports that a caller wants, each by a signal of its own.

    Attributes:
        is_open: The caller wants reports.
    """

    def __init__(self, ctx: Context, slice_: Slice[object], kind: ItemKind) -> None:
        self._ctx = ctx
        self._request = slice_.report_request
        self.is_open = slice_.report_request is not None
        self._kind = kind
        updates = slice_.report_request.updates if slice_.report_request else 1
        self._step = max(kind.report_every, len(slice_.items) // updates)
        self._next = 0
        self._counts = Counts()  # in the last report, as are `_ended` and `_returned`
        self._ended = 0
        self._returned = 0

    def send(self, fan_in: FanIn, returned: int) -> None:
        """Send a report, if enough has happened since the last one.

        Args:
            returned: How many slots the coordinator no longer needs.
        """
        request, counts = self._request, fan_in.counts
        assert request, "somebody wants reports"
        ended = self._kind.items_ended(fan_in)
        if (
            ended - self._ended < self._step
            and returned <= self._returned
            and not _is_news(request, counts - self._counts)
        ):
            return
        name = report_name(request.name, self._next)
        report = Report(counts=counts, returned=returned)
        self._ctx.resolve_signal(request.to, name, report, serde=report_json)
        self._counts, self._ended, self._returned = counts, ended, returned
        self._next += 1


def _is_news(request: ReportRequest, counts: Counts) -> bool:
    """Whether enough outcomes are new to change the end of the run."""
    others = counts.settled - counts.succeeded
    is_success = 0 < request.successes <= counts.succeeded
    return is_success or 0 < request.others <= others
