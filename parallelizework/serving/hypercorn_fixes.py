"""hypercorn's HTTP/2, mended: it survives late data, and is quicker with large values.

In hypercorn 0.18 data for a stream that has ended raises a KeyError that takes down
the whole connection, with every call on it; Restate retries them, but that takes
seconds. An invocation whose last message crosses with the server's is enough.
https://github.com/pgjones/hypercorn/pull/334 mends it there; until it is released, such
data is dropped here.

It also leaves a stream open whose application has ended without a whole answer, and
waits for ever until one takes the rest of a request that has ended without it. When a
connection is lost, who waits for an answer to be sent waits for ever; and one that was
idle is kept, as if more could come, for the time that it may be idle.
With HTTP/1 it waits for ever to read on where its answer has ended the connection, and
offers to go over to HTTP/2, for which restate-server never asks: here it does not.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import h11
import hypercorn.protocol
from h2.connection import ConnectionState
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hypercorn.asyncio.worker_context import EventWrapper
from hypercorn.events import Closed, Updated
from hypercorn.protocol.events import Body, StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from hyperframe.frame import DataFrame

from parallelizework.serving.turns import Turns

# Each frame costs the same in Python, whatever it holds, and the default is 16 KiB.
# hypercorn acknowledges at once what it reads: a window bounds only what is under way.
_FRAME = 256 * 1024
_WINDOW = 4 * 1024 * 1024
_LATE = 1024 * 1024  # more is no last message that has crossed with ours


class _Ended:
    """Stands in for a stream that is gone."""

    idle = True

    def __init__(self, late: Callable[[Any], Awaitable[None]]) -> None:
        self.handle = late


class _Streams(dict[int, Any]):
    def __init__(self, late: Callable[[Any], Awaitable[None]]) -> None:
        super().__init__()
        self._ended = _Ended(late)

    def __missing__(self, stream_id: int) -> _Ended:
        return self._ended


class _Ending:
    """Part of a protocol: what ends with a connection, whatever was going on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_over = False
        self._pass_on, self.send = self.send, self._unless_over

    async def handle(self, event: Any) -> None:
        """Take what comes."""
        await super().handle(event)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - of the other base
        if isinstance(event, Closed):
            self._is_over = True
            await self._pass_on(Updated(idle=False))  # nobody waits for more of it

    async def _unless_over(self, event: Any) -> None:
        if not (self._is_over and isinstance(event, Updated)):
            await self._pass_on(event)


class _Mended(_Ending, H2Protocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.streams = _Streams(self._late)
        self.priority: Any = Turns()
        self._late_bytes: tuple[int, int] = (0, 0)
        self._is_flushing = False
        settings = self.connection.local_settings
        settings[SettingCodes.MAX_FRAME_SIZE] = _FRAME
        settings[SettingCodes.INITIAL_WINDOW_SIZE] = _WINDOW
        settings.acknowledge()  # in force before the other side knows of them
        self.connection.max_inbound_frame_size = _FRAME

    async def _flush(self) -> None:
        """Send what there is together with what else this turn of the loop gives."""
        if self.connection.state_machine.state is ConnectionState.CLOSED:
            await super()._flush()
        elif not self._is_flushing:
            self._is_flushing = True
            self.task_group.spawn(self._flush_all)  # pyright: ignore[reportUnknownMemberType] - half typed

    async def _flush_all(self) -> None:
        self._is_flushing = False
        await super()._flush()

    async def initiate(self, *args: Any, **kwargs: Any) -> None:
        """Begin, and open the window of the whole connection."""
        await super().initiate(*args, **kwargs)
        self.connection.increment_flow_control_window(_WINDOW)
        await self._flush()

    async def handle(self, event: Any) -> None:
        """Take what comes; at the end, let nobody wait for answers to be sent."""
        try:
            await super().handle(event)
        except Exception:  # what h2 lets through, and hypercorn does not expect
            await self.send(Closed())
        if isinstance(event, Closed):
            for buffer in self.stream_buffers.values():
                await buffer.close()

    async def stream_send(self, event: Any) -> None:
        """Send a part of an answer; with the last one, end the stream for good."""
        if isinstance(event, StreamClosed):
            _leave(self.streams.get(event.stream_id))
            buffer = self.stream_buffers.get(event.stream_id)
            if buffer and not buffer._complete:  # pyright: ignore[reportPrivateUsage]
                await self._reset(event.stream_id, ErrorCodes.INTERNAL_ERROR)
        await super().stream_send(event)

    async def _late(self, event: Any) -> None:
        """Drop what comes for a stream that has ended; end it, if that goes on."""
        if not isinstance(event, Body) or event.stream_id in self.stream_buffers:
            return
        stream_id, size = self._late_bytes
        size = len(event.data) + (size if stream_id == event.stream_id else 0)
        self._late_bytes = event.stream_id, size
        if size > _LATE:
            await self._reset(event.stream_id, ErrorCodes.NO_ERROR)

    async def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        if self._is_over:
            return
        with suppress(ProtocolError):  # the other side was faster
            self.connection.reset_stream(stream_id, code)
            await self._flush()


def _leave(stream: Any) -> None:
    """Have nobody wait until an application that has ended takes the next message."""
    if queue := getattr(getattr(stream, "app_put", None), "__self__", None):
        stream.app_put = _nothing
        while not queue.empty():
            queue.get_nowait()


async def _nothing(_message: object) -> None:
    """Drop a message."""


class _Over(Exception):
    """Nothing more is to be read from a connection."""


class _Pause(EventWrapper):
    is_last = False

    async def clear(self) -> None:
        """Begin to wait, unless nobody is going to end that."""
        if self.is_last:
            raise _Over
        await super().clear()


class _Mended11(_Ending, H11Protocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.can_read = self._pause = _Pause()

    async def handle(self, event: Any) -> None:
        """Take what comes, as long as there is somebody for it."""
        with suppress(_Over):
            await super().handle(event)

    async def stream_send(self, event: Any) -> None:
        """Send a part of an answer; the last one, if more has come than was read."""
        if isinstance(event, StreamClosed):
            _leave(self.stream)
            states = {self.connection.our_state, self.connection.their_state}
            self._pause.is_last = states != {h11.DONE}
        await super().stream_send(event)

    async def _check_protocol(self, event: Any) -> None:
        if event.method == b"PRI":
            await super()._check_protocol(event)


def _name(self: DataFrame) -> str:
    return type(self).__name__


def mend() -> None:
    """Have hypercorn use the mended protocol in this process."""
    setattr(hypercorn.protocol, H2Protocol.__name__, _Mended)
    setattr(hypercorn.protocol, H11Protocol.__name__, _Mended11)
    # h2 writes out each frame that comes, in hex, for a log that is off.
    DataFrame._body_repr = _name  # pyright: ignore[reportPrivateUsage]
