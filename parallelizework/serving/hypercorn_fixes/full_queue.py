"""A fix for requests whose rest the application does not read."""

from typing import Any

from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol


class FreeQueueOfHttp2(H2Protocol):
    """Empty the queue of an application that has ended, so that the connection is read.

    hypercorn puts the data of a client into a queue for the application, of
    `Config.max_app_queue_size`. If the queue is full when the application ends, nothing
    empties the queue, and hypercorn never reads from the connection again.

    For hypercorn 0.18; `TaskGroup.spawn_app` in src/hypercorn/asyncio/task_group.py of
    https://github.com/pgjones/hypercorn.
    """

    async def stream_send(self, event: Any) -> None:
        """Send; before a stream is closed, empty its queue."""
        if isinstance(event, StreamClosed):
            _empty(self.streams.get(event.stream_id))
        await super().stream_send(event)


class FreeQueueOfHttp1(H11Protocol):
    """The same for HTTP/1.1."""

    async def stream_send(self, event: Any) -> None:
        """Send; before a stream is closed, empty its queue."""
        if isinstance(event, StreamClosed):
            _empty(self.stream)
        await super().stream_send(event)


def _empty(stream: Any) -> None:
    if queue := getattr(getattr(stream, "app_put", None), "__self__", None):
        stream.app_put = _drop
        while not queue.empty():
            queue.get_nowait()


async def _drop(_message: object) -> None:
    """Drop the message."""
