"""A fix for requests that h2 accepts, and that hypercorn does not expect."""

from typing import Any

from hypercorn.events import Closed
from hypercorn.protocol.h2 import H2Protocol


class CloseOnError(H2Protocol):
    """Close a connection on an unexpected error, so that its calls end in order.

    An example is a path that is not ASCII: `HTTPStream.handle` decodes the path as
    ASCII. Without the fix, the error is logged as "Unhandled exception in
    client_connected_cb", and the calls of the connection are not ended in order.

    For hypercorn 0.18 (src/hypercorn/protocol/http_stream.py of
    https://github.com/pgjones/hypercorn); a fork of it has described and fixed that:
    https://github.com/davidbrochart/anycorn/issues/68.
    """

    async def handle(self, event: Any) -> None:
        """Handle an event; close the connection on any error."""
        try:
            await super().handle(event)
        except Exception:
            await self.send(Closed())
