"""Serve with granian, whose HTTP/2 is written in Rust."""

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
# With small windows, granian closes a connection on which many small frames wait.
_CONNECTION_WINDOW = 64 * 1024 * 1024
_STREAM_WINDOW = 4 * 1024 * 1024
_FRAME = 256 * 1024
_CLOSE = 1.0  # seconds that clients have at least to close their connections


class Drained:
    """An ASGI app that waits for its calls at the end; granian would drop them."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._in_flight = 0
        self._is_ending = False
        self._ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app; answer 503 after `end` was called."""
        if self._is_ending:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body"})
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        except KeyboardInterrupt:  # granian would ignore it
            asyncio.get_running_loop().call_soon(_interrupt)
        finally:
            self._in_flight -= 1
            if self._is_ending and not self._in_flight:
                self._ended.set()

    async def end(self, seconds: float) -> None:
        """Accept no more calls, and wait up to `seconds` for the calls in flight."""
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
    """Serve `app` at `HOST:PORT` until `stop`, then wait for the calls in flight.

    Threads of granian may still run afterwards. They would abort an interpreter that
    ends before them. Therefore leave the process by `os._exit`.

    Args:
        on_start: Called when the port is open.
        stop: The event that stops the server.
        grace_period: The longest time to wait for the calls in flight, in seconds.

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
    # granian waits until each client has closed its connection. A lost client never
    # does.
    left = max(end - time.monotonic(), _CLOSE)
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
        log_level=LogLevels.error,  # granian's warning at each start is of no use
        http2_settings=HTTP2Settings(
            initial_connection_window_size=_CONNECTION_WINDOW,
            initial_stream_window_size=_STREAM_WINDOW,
            max_concurrent_streams=_UNLIMITED,
            max_frame_size=_FRAME,
        ),
    )
