"""A fix for data that arrive for a stream that has ended."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.protocol.events import Body
from hypercorn.protocol.h2 import H2Protocol

_MAX_LATE = 1024 * 1024  # bytes; a client that sends more has not seen the end


class DropLateData(H2Protocol):
    """Drop late data, as they would end the whole connection with all its calls.

    `H2Protocol._handle_events` looks up the stream of the data, and raises a KeyError
    if the stream has ended. This happens whenever the last messages of both sides
    cross. Restate retries the calls, but that takes seconds.

    For hypercorn 0.18; https://github.com/pgjones/hypercorn/pull/334 is not released.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.streams = _Streams(self._drop)
        self._dropped: tuple[int, int] = (0, 0)  # a stream, and how many bytes of it

    async def _drop(self, event: Any) -> None:
        """Drop the data; reset a stream that continues to send."""
        if not isinstance(event, Body) or event.stream_id in self.stream_buffers:
            return
        stream_id, size = self._dropped
        size = len(event.data) + (size if stream_id == event.stream_id else 0)
        self._dropped = event.stream_id, size
        if size > _MAX_LATE:
            await reset(self, event.stream_id, ErrorCodes.NO_ERROR)


async def reset(protocol: H2Protocol, stream_id: int, code: ErrorCodes) -> None:
    """Reset a stream, unless the connection or the stream is closed already."""
    if protocol.closed:
        return
    with suppress(ProtocolError):  # the client has reset it already
        protocol.connection.reset_stream(stream_id, code)
        await protocol._flush()  # pyright: ignore[reportPrivateUsage] - of a protocol


class _Streams(dict[int, Any]):
    """The streams of a connection; the look-up of an ended stream finds `_Ended`."""

    def __init__(self, drop: Callable[[Any], Awaitable[None]]) -> None:
        super().__init__()
        self._ended = _Ended(drop)

    def __missing__(self, stream_id: int) -> "_Ended":
        return self._ended


class _Ended:
    """A stream that has ended: it drops all events."""

    idle = True

    def __init__(self, drop: Callable[[Any], Awaitable[None]]) -> None:
        self.handle = drop
