"""A fix for connections that end while an answer is being sent."""

from typing import Any

from hypercorn.events import Closed
from hypercorn.protocol.h2 import H2Protocol


class EndSending(H2Protocol):
    """Close the buffers when sending has ended, so that applications do not wait.

    An application that sends more data than a buffer holds waits until the client has
    read some of them. An application that ends its answer waits until the answer is
    sent. `H2Protocol.send_task` sends. It ends when the connection is lost, or when
    the server stops after its grace period; but it does not close the buffers.

    For hypercorn 0.18; `StreamBuffer.push` and `.drain` in src/hypercorn/protocol/h2.py
    of https://github.com/pgjones/hypercorn.
    """

    async def send_task(self) -> None:
        """Send until the connection ends; then close the buffers."""
        try:
            await super().send_task()
        finally:
            await self._close_buffers()

    async def handle(self, event: Any) -> None:
        """Handle an event; when the connection is closed, close the buffers."""
        await super().handle(event)
        if isinstance(event, Closed):
            await self._close_buffers()

    async def _close_buffers(self) -> None:
        for buffer in self.stream_buffers.values():
            await buffer.close()
