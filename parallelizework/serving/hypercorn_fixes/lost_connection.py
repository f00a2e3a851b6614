"""A fix for connections that are lost while an answer is being sent."""

from typing import Any

from hypercorn.events import Closed
from hypercorn.protocol.h2 import H2Protocol


class EndSending(H2Protocol):
    """Close the buffers of a lost connection, so that applications do not wait forever.

    An application that sends more data than a buffer holds waits until the client has
    read some of them. `H2Protocol.handle` ends the task that sends, but does not close
    the buffers.

    For hypercorn 0.18; `StreamBuffer.push` and `.drain` in src/hypercorn/protocol/h2.py
    of https://github.com/pgjones/hypercorn.
    """

    async def handle(self, event: Any) -> None:
        """Handle an event; when the connection is closed, close the buffers."""
        await super().handle(event)
        if isinstance(event, Closed):
            for buffer in self.stream_buffers.values():
                await buffer.close()
