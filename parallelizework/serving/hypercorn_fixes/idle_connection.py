"""A fix for idle connections that the client has closed."""

from typing import Any

from hypercorn.events import Closed, Updated


class EndIdle:
    """End the idle timeout of a closed connection, so that its memory is released.

    `TCPServer.run` ends when all its tasks have ended. One task waits for the idle
    timeout, also after the connection is closed. A worker sets no idle timeout, so each
    closed connection would stay in memory.

    When the server stops, that task ends by itself, and it closes the connection. To
    stop the task then could wait forever: before Python 3.12, `asyncio.wait_for` may
    ignore a cancellation.

    For hypercorn 0.18; src/hypercorn/asyncio/tcp_server.py of
    https://github.com/pgjones/hypercorn.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_over = False
        self._send, self.send = self.send, self._send_unless_over

    async def handle(self, event: Any) -> None:
        """Handle an event; when the connection is closed, report it as not idle."""
        await super().handle(event)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - of the other base
        if isinstance(event, Closed):
            self._is_over = True
            if not self.context.terminated.is_set():  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
                await self._send(Updated(idle=False))

    async def _send_unless_over(self, event: Any) -> None:
        if not (self._is_over and isinstance(event, Updated)):
            await self._send(event)
