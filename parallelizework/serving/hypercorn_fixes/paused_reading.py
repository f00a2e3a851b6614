"""More bytes on a connection of HTTP/1.1 than its last answer needs."""

from contextlib import suppress
from typing import Any

import h11
from hypercorn.asyncio.worker_context import EventWrapper
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h11 import H11Protocol


class EndPause(H11Protocol):
    """Do not pause reading after the last answer; the pause has no end.

    A request that follows another on a connection waits until that is answered. Where
    the application ends in the middle of its answer, nothing more is sent on the
    connection: `H11Protocol._handle_events` is woken, finds the same request, and waits
    again, for nothing.

    For hypercorn 0.18; src/hypercorn/protocol/h11.py of
    https://github.com/pgjones/hypercorn.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.can_read = self._pause = _Pause()

    async def handle(self, event: Any) -> None:
        """Handle, as long as something more is to be read."""
        with suppress(_Over):
            await super().handle(event)

    async def stream_send(self, event: Any) -> None:
        """Send; when a stream is closed, see whether its answer was the last one."""
        if isinstance(event, StreamClosed):
            states = {self.connection.our_state, self.connection.their_state}
            self._pause.is_last = states != {h11.DONE}
        await super().stream_send(event)


class _Over(Exception):
    """Nothing more is to be read from a connection."""


class _Pause(EventWrapper):
    is_last = False

    async def clear(self) -> None:
        """Begin to wait, unless nobody is going to end that."""
        if self.is_last:
            raise _Over
        await super().clear()
