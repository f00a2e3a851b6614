"""Reports: how a coordinator tells its caller how far it has come.

`messages.py` tells what the signals are for.
"""

from restate import Context

from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.coordination.fan_in import FanIn
from parallelizework.messages import Report, ReportRequest, Slice
from parallelizework.outcomes import Counts
from parallelizework.serde import Message

report_json = Message[Report](Report, "a report")
slots_json = Message[int](int, "a number of slots")


def report_name(name: str, number: int) -> str:
    """The name of the signal of one report."""
    return f"{name}.{number}"


def grown_name(number: int) -> str:
    """The name of a signal by which a coordinator leases more slots."""
    return f"slots.{number}"


class SignalReporter:
    """Sends the reports that a caller wants, each by a signal of its own."""

    def __init__(
        self, ctx: Context, slice_: Slice[object], dispatch: SubtaskDispatch
    ) -> None:
        self._ctx = ctx
        self._request = slice_.reports
        self._dispatch = dispatch
        updates = slice_.reports.updates if slice_.reports else 1
        self._step = max(dispatch.least, len(slice_.items) // updates)
        self._next = 0
        self._counts = Counts()  # as in the last report, like the next two
        self._items = 0
        self._returned = 0

    def send(self, fan_in: FanIn, returned: int) -> None:
        """Send a report, if enough has happened since the last one.

        Args:
            returned: How many slots the coordinator no longer needs.
        """
        request, counts = self._request, fan_in.counts
        if request is None:
            return
        items = self._dispatch.ended(fan_in)
        if (
            items - self._items < self._step
            and returned <= self._returned
            and not _is_news(request, counts - self._counts)
        ):
            return
        name = report_name(request.name, self._next)
        report = Report(counts=counts, returned=returned)
        self._ctx.resolve_signal(request.to, name, report, serde=report_json)
        self._counts, self._items, self._returned = counts, items, returned
        self._next += 1


def _is_news(request: ReportRequest, counts: Counts) -> bool:
    """Whether enough outcomes are new to change the end of the run."""
    return (
        0 < request.successes <= counts.succeeded
        or 0 < request.others <= counts.unsuccessful
    )
