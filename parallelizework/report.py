"""Reports: how a coordinator hears of outcomes before the calls that hold them end."""

from pydantic import BaseModel
from restate import Context

from parallelizework.rule import Counts
from parallelizework.serde import Json

counts_serde = Json[Counts](Counts, "a report")


class Reports(BaseModel):
    """What a coordinator wants to hear from one that it calls.

    Attributes:
        to: Its own invocation id.
        name: What its signals are to be called, before a number.
        step: How many outcomes of a kind make a report; 0 for a kind that is no news.
    """

    to: str
    name: str
    step: Counts


class Reporter:
    """Sends reports, each as a signal of its own."""

    def __init__(self, ctx: Context, reports: Reports | None) -> None:
        self._ctx = ctx
        self._reports = reports
        self._told = Counts()
        self._next = 0

    def tell(self, counts: Counts) -> None:
        """Send a report, if these counts are news."""
        if not (reports := self._reports):
            return
        fresh, step = counts - self._told, reports.step
        if 0 < step.succeeded <= fresh.succeeded or 0 < step.failed <= fresh.failed:
            name = signal(reports.name, self._next)
            self._ctx.resolve_signal(reports.to, name, counts, serde=counts_serde)
            self._told, self._next = counts, self._next + 1


def signal(name: str, number: int) -> str:
    """The name of one report's signal."""
    return f"{name}.{number}"
