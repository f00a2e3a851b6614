"""`OutcomesSender`: sends the outcomes of a coordinator, as they complete."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

import restate
from pydantic_core import to_json
from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.messages import Outcomes
from parallelizework.serde.message import Message
from parallelizework.streaming.models import CHUNK, NAME, Completed, End, completed

_logger = restate.getLogger(__name__)  # pyright: ignore[reportUnknownMemberType] - half typed

outcomes_json = Message[list[Completed]](list[Completed], "some outcomes")
end_json = Message[End](End, "the end of a run")

_AT_ONCE = 64  # outcomes: then they are sent without a delay
_BYTES = 1024 * 1024  # of one message, without its last outcome
_DELAY = timedelta(seconds=0.25)


class Timers(Protocol):
    """Calls functions when timers complete."""

    def on(
        self, future: RestateDurableFuture[Any], callback: Callable[[], None], /
    ) -> None:
        """Call a function when a timer completes."""
        ...


class OutcomesSender:
    """Sends outcomes to `FanOutOutcomes`: several in one message.

    An outcome is sent after a quarter of a second at most. The timers and the messages
    are in the journal of the coordinator. So a replay sends no outcome twice.

    Args:
        ctx: The context of the coordinator.
        run: The id of the run.
        timers: The events of the coordinator.
    """

    def __init__(self, ctx: Context, run: str, timers: Timers) -> None:
        self._ctx = ctx
        self._run = run
        self._timers = timers
        self._waiting: list[Completed] = []
        self._has_timer = False
        self._sent = 0

    def begin(self) -> None:
        """Send that the run sends its outcomes."""
        self._send("begin", b"")

    def add(self, outcomes: Outcomes) -> None:
        """Send the outcomes of a call, soon."""
        self._waiting += completed(outcomes)
        if len(self._waiting) >= _AT_ONCE:
            self.flush()
        elif self._waiting and not self._has_timer:
            self._has_timer = True
            self._timers.on(self._ctx.sleep(_DELAY), self._expire)

    def flush(self) -> int:
        """Send the outcomes that wait; return how many were sent in all."""
        chunk: list[Completed] = []
        size = 0
        for each in self._waiting:
            if size > _BYTES or len(chunk) == CHUNK:
                self._append(chunk)
                chunk, size = [], 0
            chunk.append(each)
            size += len(to_json(each))
        if chunk:
            self._append(chunk)
        self._waiting = []
        return self._sent

    def end(self, count: int) -> None:
        """Send the end of the run, and how many outcomes there are."""
        self._send("end", end_json.serialize(End(count=count)))

    def _expire(self) -> None:
        self._has_timer = False
        self.flush()

    def _append(self, chunk: list[Completed]) -> None:
        try:
            body = outcomes_json.serialize(chunk)
        except TerminalError as error:  # one value is as large as a message
            if len(chunk) > 1:
                for each in chunk:
                    self._append([each])
                return
            _logger.warning("outcomes not sent: run=%s: %s", self._run, error)
            return
        self._sent += len(chunk)
        self._send("append", body)

    def _send(self, handler: str, body: bytes) -> None:
        self._ctx.generic_send(NAME, handler, body, key=self._run)
