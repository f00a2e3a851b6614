"""Reports: how a coordinator hears of outcomes before the calls that hold them end."""

from typing import Protocol

from pydantic import BaseModel
from restate import Context

from parallelizework.fan_in import FanIn
from parallelizework.rule import Counts
from parallelizework.serde import Json

counts_serde = Json[Counts](Counts, "a report")

_LEAST = 4  # subtasks a report; a report costs about a quarter of one


class Reporter(Protocol):
    """Whoever wants to know how far a coordinator has come."""

    def tell(self, fan_in: FanIn) -> None:
        """Take note, if that is news."""
        ...


class Reports(BaseModel):
    """What a coordinator wants to hear from one that it calls.

    Attributes:
        to: Its own invocation id.
        name: What its signals are to be called, before a number.
        successes: How many successes make a report; 0 if they are no news.
        others: The same of other outcomes.
        updates: How many reports there should be, news or not.
    """

    to: str
    name: str
    successes: int
    others: int
    updates: int


class SignalReporter:
    """Tells another coordinator, each time by a signal of its own.

    Args:
        reports: What it wants to hear; None for nothing.
        items: How many subtasks, or shards, there are.
        shards: They are shards, of which nobody knows how many subtasks they hold.
    """

    def __init__(
        self, ctx: Context, reports: Reports | None, items: int, *, shards: bool
    ) -> None:
        self._ctx = ctx
        self._reports = reports
        self._shards = shards
        step = items // reports.updates if reports else 0
        self._step = max(1 if shards else _LEAST, step)
        self._told = Counts()
        self._items = 0  # told
        self._next = 0

    def tell(self, fan_in: FanIn) -> None:
        """Send a report, if there is one to be made."""
        reports, counts = self._reports, fan_in.counts
        items = fan_in.landed if self._shards else counts.settled
        if not reports:
            return
        if not (
            self._is_news(reports, counts - self._told)
            or items - self._items >= self._step
        ):
            return
        name = signal(reports.name, self._next)
        self._ctx.resolve_signal(reports.to, name, counts, serde=counts_serde)
        self._told, self._items, self._next = counts, items, self._next + 1

    def _is_news(self, reports: Reports, fresh: Counts) -> bool:
        return (
            0 < reports.successes <= fresh.succeeded
            or 0 < reports.others <= fresh.unsuccessful
        )


def signal(name: str, number: int) -> str:
    """The name of one report's signal."""
    return f"{name}.{number}"
