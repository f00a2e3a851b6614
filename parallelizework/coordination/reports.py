"""Reports: how others hear of outcomes before the calls that hold them end.

An inner coordinator tells the one that has called it, `run` tells `FanOutProgress`.
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

from pydantic import BaseModel
from restate import Context, TerminalError

from parallelizework.completion import CompletionReason, Counts, Rule
from parallelizework.coordination.fan_in import FanIn
from parallelizework.outcomes import Failure, is_cancelled
from parallelizework.progress.virtual_object import NAME, UPDATE, State, Update
from parallelizework.serde import Message

count_serde = Message[int](int, "a number of places")

_UPDATES = 100  # of a run, however large
_GROWTH = 10  # an update each tenth more, where the total is not known
_UNWATCHED = timedelta(seconds=0.5)  # a run that ends sooner sends its end alone
_KEPT = 256 * 1024  # bytes of failures that are told
_LEAST = 4  # subtasks a report; a report costs about a quarter of one


class Reporter(Protocol):
    """Whoever wants to know how far a coordinator has come.

    Attributes:
        is_inner: It is another coordinator.
    """

    is_inner: bool

    def tell(self, fan_in: FanIn, spare: int) -> None:
        """Take note, if that is news.

        Args:
            spare: How many places the coordinator will need no more.
        """
        ...


class Report(BaseModel):
    """What a coordinator tells the one that has called it.

    Attributes:
        counts: How far it has come.
        spare: How many of its places it will need no more.
    """

    counts: Counts
    spare: int


report_serde = Message[Report](Report, "a report")


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

    is_inner = True

    def __init__(
        self, ctx: Context, reports: Reports | None, items: int, *, shards: bool
    ) -> None:
        self._ctx = ctx
        self._reports = reports
        self._shards = shards
        step = items // reports.updates if reports else 0
        self._step = max(1 if shards else _LEAST, step)
        self._told = Counts()
        self._items = 0  # told, as are the spare places
        self._spare = 0
        self._next = 0

    def tell(self, fan_in: FanIn, spare: int) -> None:
        """Send a report, if there is one to be made."""
        reports, counts = self._reports, fan_in.counts
        items = fan_in.landed if self._shards else counts.settled
        if not reports:
            return
        if not (
            self._is_news(reports, counts - self._told)
            or items - self._items >= self._step
            or spare > self._spare
        ):
            return
        name = signal(reports.name, self._next)
        report = Report(counts=counts, spare=spare)
        self._ctx.resolve_signal(reports.to, name, report, serde=report_serde)
        self._told, self._items, self._spare = counts, items, spare
        self._next += 1

    def _is_news(self, reports: Reports, fresh: Counts) -> bool:
        return (
            0 < reports.successes <= fresh.succeeded
            or 0 < reports.others <= fresh.unsuccessful
        )


class ProgressReporter:
    """Sends the updates of a run.

    Attributes:
        fan_in: Its outcomes.
        total: How many subtasks there are; None while nobody knows.
        reason: Why it has ended.
        opening: When it comes, it is time for the first update.
    """

    is_inner = False

    def __init__(self, ctx: Context, fan_out: str) -> None:
        self.fan_in = FanIn(Rule(), None)
        self.total: int | None = None
        self.reason: CompletionReason | None = None
        self.opening = ctx.sleep(_UNWATCHED)
        self._ctx = ctx
        self._fan_out = fan_out
        self._is_open = False
        self._told = 0
        self._failures = 0  # told, as are the bytes of them
        self._bytes = 0

    def open(self) -> None:
        """Send the first update, and from now on others."""
        self._is_open = True
        self._send(self.fan_in.counts)

    def tell(self, fan_in: FanIn, spare: int) -> None:
        """Send an update, if enough has happened since the last."""
        settled = fan_in.counts.settled
        step = settled // _GROWTH if self.total is None else self.total // _UPDATES
        if self._is_open and settled - self._told >= max(1, step):
            self._send(fan_in.counts)

    @contextmanager
    def to_the_end(self) -> Generator[None, None, None]:
        """Send the last update when the block has ended, well or badly."""
        try:
            yield
        except TerminalError as error:
            state: State = "cancelled" if is_cancelled(error) else "failed"
            self._end(state=state, error=error.message)
            raise
        self._end(state="succeeded")

    def _end(self, **end: Any) -> None:
        counts = self.fan_in.counts
        if self.reason is CompletionReason.ALL_COMPLETED:
            self.total = counts.settled
        if self.total is not None:  # what has no outcome by now has been cancelled
            counts += Counts(cancelled=self.total - counts.settled)
        self._send(counts, completion_reason=self.reason, **end)

    def _send(self, counts: Counts, **end: Any) -> None:
        update = Update(
            fan_out=self._fan_out,
            total=self.total,
            counts=counts,
            failures=self._fresh(self.fan_in.failures),
            **end,
        )
        self._told = counts.settled
        body, run = UPDATE.serialize(update), self._ctx.request().id
        self._ctx.generic_send(NAME, "update", body, key=run)

    def _fresh(self, failures: list[Failure[Any]]) -> list[Failure[Any]]:
        fresh: list[Failure[Any]] = []
        for failure in failures[self._failures :]:
            self._bytes += len(failure.model_dump_json())
            if self._bytes > _KEPT:
                break
            fresh.append(failure)
        self._failures += len(fresh)
        return fresh


def signal(name: str, number: int) -> str:
    """The name of one report's signal."""
    return f"{name}.{number}"


def raise_name(number: int) -> str:
    """The name of the signal by which a coordinator is given more places."""
    return f"places.{number}"
