"""A fix for applications that end in the middle of an answer."""

from typing import Any

from h2.errors import ErrorCodes
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h2 import H2Protocol

from parallelizework.serving.hypercorn_fixes.late_data import reset


class ResetUnfinished(H2Protocol):
    """Reset the stream of an unfinished answer, so that it does not stay open forever.

    `HTTPStream.app_send(None)` closes the stream only on hypercorn's side. The client
    receives neither an end nor a reset, and waits.

    For hypercorn 0.18; src/hypercorn/protocol/http_stream.py, and `H2Protocol.
    stream_send` in h2.py of https://github.com/pgjones/hypercorn.
    """

    async def stream_send(self, event: Any) -> None:
        """Send; before a stream is closed, reset it if its answer has no end."""
        if isinstance(event, StreamClosed):
            buffer = self.stream_buffers.get(event.stream_id)
            if buffer and not buffer._complete:  # pyright: ignore[reportPrivateUsage] - no public one
                await reset(self, event.stream_id, ErrorCodes.INTERNAL_ERROR)
        await super().stream_send(event)
