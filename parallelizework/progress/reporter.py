"""`ProgressReporter`: sends the updates of a run to `FanOutProgress`."""

from datetime import timedelta
from typing import Any, Protocol

from restate import Context

from parallelizework.outcomes import CompletionReason, Counts, Failure
from parallelizework.progress.labels import Labels
from parallelizework.progress.models import NAME, State, Update
from parallelizework.progress.update_limit import update_limit
from parallelizework.serde.message import Message

update_json = Message[Update](Update, "an update")

_GROWTH = 10  # with an unknown total, an update after each growth by 1/10
_UNWATCHED = timedelta(seconds=0.5)  # a run that ends sooner sends its end at most
_MAX_BYTES = 256 * 1024  # of failures that are sent for one run


class Ended(Protocol):
    """The subtasks of a run that have ended.

    Attributes:
        total: The number of subtasks; None while it is unknown.
        counts: How many subtasks have ended, by outcome.
        failures: The failures, in order of arrival.
        waiting: How many subtasks wait for an answer.
    """

    total: int | None
    counts: Counts
    failures: list[Failure[Any]]
    waiting: int


class ProgressReporter:
    """Sends the progress of a run to `FanOutProgress`.

    Args:
        ctx: The context of the run.
        fan_out: The name of the fan-out.
        redrive_of: The id of the run that this run redrives, if any.
        labels: The labels of the run.
        is_silent: Whether a run that soon succeeds sends nothing, unless it has labels.

    Attributes:
        opening: The timer for the first update: call `open` when it completes.
        is_open: Whether the first update has been sent.
    """

    def __init__(
        self,
        ctx: Context,
        fan_out: str,
        redrive_of: str | None,
        labels: Labels,
        *,
        is_silent: bool = True,
    ) -> None:
        self.opening = ctx.sleep(_UNWATCHED)
        self._ctx = ctx
        self._fan_out = fan_out
        self._redrive_of = redrive_of
        self._labels = dict(labels)
        self._is_silent = is_silent and not (redrive_of or labels)
        self.is_open = False
        self._settled = 0  # how many subtasks had ended in the last update
        self._waiting = 0  # how many subtasks waited in the last update
        self._failures = 0  # how many failures were sent
        self._bytes = 0  # the size of these failures
        if labels:  # from now on, the run is found by its labels
            self._send(self._update(None))

    def open(self, ended: Ended | None) -> None:
        """Send the first update, if none was sent. Then `send` sends updates."""
        if self.is_open:
            return
        self.is_open = True
        self._settled = ended.counts.settled if ended else 0
        self._send(self._update(ended))

    def send(self, ended: Ended, _returned: int = 0) -> None:
        """Send an update, if enough has happened since the last one."""
        settled, total = ended.counts.settled, ended.total
        step = settled // _GROWTH if total is None else total // update_limit.updates
        new = max(settled - self._settled, abs(ended.waiting - self._waiting))
        # When all other subtasks wait, there may be no update for a long time.
        all_wait = ended.waiting > 0 and settled + ended.waiting == total
        if new >= (1 if all_wait else max(1, step)):
            self._settled, self._waiting = settled, ended.waiting
            self._send(self._update(ended))

    def end(
        self,
        ended: Ended | None,
        state: State,
        reason: CompletionReason | None,
        error: str | None,
    ) -> None:
        """Send the last update. Subtasks without an outcome count as cancelled.

        A run that has succeeded soon, with all of its subtasks, sends nothing: Restate
        itself knows everything about it. It would cost as much as a subtask. A run with
        labels sends its end: Restate does not know its labels.
        """
        is_complete = reason is CompletionReason.ALL_COMPLETED and state == "succeeded"
        is_silent = self._is_silent and not self.is_open
        if is_complete and is_silent and not (ended and ended.failures):
            return
        self._send_state(ended, state, reason, error)

    def hold(
        self, ended: Ended | None, reason: CompletionReason | None, error: str
    ) -> None:
        """Send that the run is held, and why. The run sends nothing else meanwhile."""
        self.is_open = True
        self._send_state(ended, "held", reason, error)

    def restart(self, total: int | None, succeeded: int) -> None:
        """Send that the run executes the subtasks that have not succeeded.

        Args:
            total: The number of subtasks; None if it is unknown.
            succeeded: How many have succeeded before.
        """
        self.is_open = True
        self._settled, self._failures, self._bytes = succeeded, 0, 0
        update = Update(
            fan_out=self._fan_out,
            total=total,
            counts=Counts(succeeded=succeeded),
            redrive_of=self._redrive_of,
            is_restart=True,
            labels=self._labels,
        )
        self._send(update)

    def _send_state(
        self,
        ended: Ended | None,
        state: State,
        reason: CompletionReason | None,
        error: str | None,
    ) -> None:
        update = self._update(ended)
        counts, total = update.counts, update.total
        settled = counts.settled
        if reason is CompletionReason.ALL_COMPLETED:
            total = settled
        if total is not None and total > settled:
            counts += Counts(cancelled=total - settled)
        end = {"state": state, "completion_reason": reason, "error": error}
        end |= {"counts": counts, "total": total, "waiting": 0}
        self._send(update.model_copy(update=end))

    def _update(self, ended: Ended | None) -> Update:
        if ended is None:
            return Update(
                fan_out=self._fan_out,
                total=None,
                counts=Counts(),
                redrive_of=self._redrive_of,
                labels=self._labels,
            )
        return Update(
            fan_out=self._fan_out,
            redrive_of=self._redrive_of,
            total=ended.total,
            counts=ended.counts,
            failures=self._new(ended.failures),
            labels=self._labels,
            waiting=ended.waiting,
        )

    def _send(self, update: Update) -> None:
        body, run = update_json.serialize(update), self._ctx.request().id
        self._ctx.generic_send(NAME, "update", body, key=run)

    def _new(self, failures: list[Failure[Any]]) -> list[Failure[Any]]:
        """The failures that were not sent yet, while there is space for them."""
        new: list[Failure[Any]] = []
        for failure in failures[self._failures :]:
            self._bytes += len(failure.model_dump_json())
            if self._bytes > _MAX_BYTES:
                break
            new.append(failure)
        self._failures += len(new)
        return new
