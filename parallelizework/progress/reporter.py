"""`ProgressReporter`: sends the updates of a run to `FanOutProgress`."""

from datetime import timedelta

from restate import Context

from parallelizework.outcomes import CompletionReason, Counts, Failure
from parallelizework.progress.models import NAME, State, Update
from parallelizework.serde import Message

update_json = Message[Update](Update, "an update")

_UPDATES = 100  # of a run, however large
_GROWTH = 10  # an update each tenth more, where the total is not known
_UNWATCHED = timedelta(seconds=0.5)  # a run that ends sooner sends its end alone
_KEPT = 256 * 1024  # bytes of failures that are sent

Failures = list[Failure[object]]


class ProgressReporter:
    """Sends how far a run has come.

    Attributes:
        opening: When this timer ends, it is time for the first update.
    """

    def __init__(self, ctx: Context, fan_out: str) -> None:
        self.opening = ctx.sleep(_UNWATCHED)
        self._ctx = ctx
        self._fan_out = fan_out
        self._is_open = False
        self._settled = 0  # in the last update
        self._failures = 0  # that were sent, as are the bytes of them
        self._bytes = 0

    def open(self, counts: Counts, failures: Failures, total: int | None) -> None:
        """Send the first update, and others from now on."""
        self._is_open = True
        self._send(self._update(counts, failures, total))

    def update(self, counts: Counts, failures: Failures, total: int | None) -> None:
        """Send an update, if enough has happened since the last one.

        Args:
            counts: How many subtasks have ended.
            failures: All failures so far; those that are new are sent.
            total: How many subtasks there are; None while nobody knows.
        """
        if not self._is_open:
            return
        settled = counts.settled
        step = settled // _GROWTH if total is None else total // _UPDATES
        if settled - self._settled >= max(1, step):
            self._send(self._update(counts, failures, total))

    def end(  # noqa: PLR0913 - all that is to be known of the end
        self,
        state: State,
        counts: Counts,
        failures: Failures,
        total: int | None,
        *,
        reason: CompletionReason | None,
        error: str | None,
    ) -> None:
        """Send the last update."""
        update = self._update(counts, failures, total)
        end = {"state": state, "completion_reason": reason, "error": error}
        self._send(update.model_copy(update=end))

    def _update(self, counts: Counts, failures: Failures, total: int | None) -> Update:
        fresh = self._fresh(failures)
        return Update(fan_out=self._fan_out, total=total, counts=counts, failures=fresh)

    def _send(self, update: Update) -> None:
        self._settled = update.counts.settled
        body, run = update_json.serialize(update), self._ctx.request().id
        self._ctx.generic_send(NAME, "update", body, key=run)

    def _fresh(self, failures: Failures) -> Failures:
        fresh: Failures = []
        for failure in failures[self._failures :]:
            self._bytes += len(failure.model_dump_json())
            if self._bytes > _KEPT:
                break
            fresh.append(failure)
        self._failures += len(fresh)
        return fresh
