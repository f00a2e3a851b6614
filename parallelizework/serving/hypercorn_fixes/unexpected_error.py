"""Bytes that h2 lets through, and hypercorn does not expect."""

from typing import Any

from hypercorn.events import Closed
from hypercorn.protocol.h2 import H2Protocol


class CloseOnError(H2Protocol):
    """Close a connection on an unexpected error; the error goes up through its task.

    A path that is not ASCII is one, which `HTTPStream.handle` decodes as ASCII. The
    error is logged as an "Unhandled exception in client_connected_cb", and what waits
    on the connection is not ended in order.

    For hypercorn 0.18 (src/hypercorn/protocol/http_stream.py of
    https://github.com/pgjones/hypercorn); a fork of it has described and fixed that:
    https://github.com/davidbrochart/anycorn/issues/68.
    """

    async def handle(self, event: Any) -> None:
        """Handle; close the connection on any error."""
        try:
            await super().handle(event)
        except Exception:
            await self.send(Closed())
