"""`ProgressReporter`: sends the updates of a run to `FanOutProgress`."""

from datetime import timedelta
from typing import Any, Protocol

from restate import Context

from parallelizework.outcomes import CompletionReason, Counts, Failure
from parallelizework.progress.models import NAME, State, Update
from parallelizework.serde.message import Message

update_json = Message[Update](Update, "an update")

_UPDATES = 100  # of a run, however large
_GROWTH = 10  # an update each tenth more, where the total is not known
_UNWATCHED = timedelta(seconds=0.5)  # a run that ends sooner sends its end alone
_KEPT = 256 * 1024  # bytes of failures that are sent


class Ended(Protocol):
    """What has ended of a run.

    Attributes:
        total: How many subtasks there are; None while nobody knows.
    """

    total: int | None
    counts: Counts
    failures: list[Failure[Any]]


class ProgressReporter:
    """Sends how far a run has come.

    Attributes:
        opening: When this timer ends, it is time for the first update.
        is_open: The first update has been sent.
    """

    def __init__(self, ctx: Context, fan_out: str) -> None:
        self.opening = ctx.sleep(_UNWATCHED)
        self._ctx = ctx
        self._fan_out = fan_out
        self.is_open = False
        self._settled = 0  # in the last update
        self._failures = 0  # that were sent, as are the bytes of them
        self._bytes = 0

    def open(self, ended: Ended | None) -> None:
        """Send the first update, and others from now on."""
        self.is_open = True
        self._settled = ended.counts.settled if ended else 0
        self._send(self._update(ended))

    def send(self, ended: Ended, _returned: int = 0) -> None:
        """Send an update, if enough has happened since the last one."""
        settled, total = ended.counts.settled, ended.total
        step = settled // _GROWTH if total is None else total // _UPDATES
        if settled - self._settled >= max(1, step):
            self._settled = settled
            self._send(self._update(ended))

    def end(
        self,
        ended: Ended | None,
        state: State,
        reason: CompletionReason | None,
        error: str | None,
    ) -> None:
        """Send the last update. What has no outcome by now has been cancelled."""
        update = self._update(ended)
        counts, total = update.counts, update.total
        settled = counts.settled
        if reason is CompletionReason.ALL_COMPLETED:
            total = settled
        if total is not None and total > settled:
            counts += Counts(cancelled=total - settled)
        end = {"state": state, "completion_reason": reason, "error": error}
        end |= {"counts": counts, "total": total}
        self._send(update.model_copy(update=end))

    def _update(self, ended: Ended | None) -> Update:
        if ended is None:
            return Update(fan_out=self._fan_out, total=None, counts=Counts())
        return Update(
            fan_out=self._fan_out,
            total=ended.total,
            counts=ended.counts,
            failures=self._fresh(ended.failures),
        )

    def _send(self, update: Update) -> None:
        body, run = update_json.serialize(update), self._ctx.request().id
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
