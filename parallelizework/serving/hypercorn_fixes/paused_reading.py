"""A fix for HTTP/1.1 connections with more bytes after the last answer."""

from contextlib import suppress
from typing import Any

import h11
from hypercorn.asyncio.worker_context import EventWrapper
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h11 import H11Protocol


class EndPause(H11Protocol):
    """Do not pause reading after the last answer, as the pause would never end.

    A second request on a connection waits until the first is answered. If the
    application ends in the middle of its answer, the connection sends nothing more.
    `H11Protocol._handle_events` wakes, finds the same request and waits again, forever.

    For hypercorn 0.18; src/hypercorn/protocol/h11.py of
    https://github.com/pgjones/hypercorn.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.can_read = self._pause = _Pause()

    async def handle(self, event: Any) -> None:
        """Handle an event, as long as the connection is read."""
        with suppress(_Over):
            await super().handle(event)

    async def stream_send(self, event: Any) -> None:
        """Send; when a stream is closed, note whether its answer was the last one."""
        if isinstance(event, StreamClosed):
            states = {self.connection.our_state, self.connection.their_state}
            self._pause.is_last = states != {h11.DONE}
        await super().stream_send(event)


class _Over(Exception):
    """The connection is no longer read."""


class _Pause(EventWrapper):
    is_last = False

    async def clear(self) -> None:
        """Begin to wait, unless the wait would never end."""
        if self.is_last:
            raise _Over
        await super().clear()
