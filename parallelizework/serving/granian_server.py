"""Serve with granian, whose HTTP/2 is not written in Python."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from errno import EADDRINUSE
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP2Settings
from granian.log import LogLevels
from granian.server.embed import Server

from parallelizework.serving.protocol_guard import App, Receive, Scope, Send

_UNLIMITED = 2**31 - 1
# granian ends a connection on which many small frames wait for a small window.
_CONNECTION_WINDOW = 64 * 1024 * 1024
_STREAM_WINDOW = 4 * 1024 * 1024
_FRAME = 256 * 1024
_LEAVE = 1.0  # seconds that clients have at least, to close their connections


class Drained:
    """An ASGI app that ends its calls in order: granian drops what is in flight."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._in_flight = 0
        self._is_ending = False
        self._ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app; answer 503 once the end has begun."""
        if self._is_ending:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body"})
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        except KeyboardInterrupt:  # granian would keep it to itself
            asyncio.get_running_loop().call_soon(_interrupt)
        finally:
            self._in_flight -= 1
            if self._is_ending and not self._in_flight:
                self._ended.set()

    async def end(self, seconds: float) -> None:
        """Accept no more calls, and wait so long for those in flight."""
        self._is_ending = True
        if self._in_flight:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), seconds)


def _interrupt() -> None:
    raise KeyboardInterrupt


async def serve(
    app: App,
    address: str,
    *,
    on_start: Callable[[], None],
    stop: asyncio.Event,
    grace_period: float,
) -> None:
    """Serve `app` at `HOST:PORT` until `stop`, then let calls in flight finish.

    `on_start` is called once the port is open.

    Threads of granian's may outlive this. They abort an interpreter that ends before
    they do: leave the process by `os._exit`.

    Raises:
        OSError: The address is in use.
    """
    drained = Drained(app)
    server = _server(drained, address)
    server.on_startup(on_start)
    serving = asyncio.create_task(server.serve())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    end = time.monotonic() + grace_period
    await drained.end(grace_period)
    server.stop()
    # granian waits until each client has left, and one that is gone never does.
    left = max(end - time.monotonic(), _LEAVE)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(serving, left)
    except RuntimeError as error:
        if "Address already in use" in str(error):
            raise OSError(EADDRINUSE, address) from error
        raise


def _server(app: App, address: str) -> Any:
    host, _, port = address.rpartition(":")
    return Server(
        app,
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.ASGINL,
        websockets=False,
        log_level=LogLevels.error,  # it warns at each start that it is experimental
        http2_settings=HTTP2Settings(
            initial_connection_window_size=_CONNECTION_WINDOW,
            initial_stream_window_size=_STREAM_WINDOW,
            max_concurrent_streams=_UNLIMITED,
            max_frame_size=_FRAME,
        ),
    )
