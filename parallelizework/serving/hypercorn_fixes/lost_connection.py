"""Connections that are lost while an answer is being sent."""

from typing import Any

from hypercorn.events import Closed
from hypercorn.protocol.h2 import H2Protocol


class EndSending(H2Protocol):
    """Close the buffers of a lost connection; applications wait for ever.

    An application that sends more than a buffer holds waits until the client has read
    some of it. `H2Protocol.handle` ends the task that sends, and leaves the buffers.

    For hypercorn 0.18; `StreamBuffer.push` and `.drain` in src/hypercorn/protocol/h2.py
    of https://github.com/pgjones/hypercorn.
    """

    async def handle(self, event: Any) -> None:
        """Handle; when the connection is closed, close the buffers."""
        await super().handle(event)
        if isinstance(event, Closed):
            for buffer in self.stream_buffers.values():
                await buffer.close()
