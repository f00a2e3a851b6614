"""Serve with hypercorn, the ASGI server of `parallelizework serve`."""

import asyncio
import errno
import logging

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.run import (
    worker_serve,  # pyright: ignore[reportUnknownVariableType] - half typed
)
from hypercorn.config import Config, Sockets

from parallelizework.errors import PortInUse, StartError
from parallelizework.serving.protocol_guard import App

_UNLIMITED = 2**31 - 1  # Restate limits the calls in flight; a second limit would stall


def listen(bind: str) -> tuple[Sockets, str]:
    """Sockets that listen on `bind`, and their `HOST:PORT`.

    Raises:
        PortInUse: The port is in use.
        StartError: The process cannot listen on that address.
    """
    config = Config()
    config.bind = [bind]
    try:
        sockets = config.create_sockets()
        for listener in sockets.insecure_sockets:
            listener.listen(config.backlog)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"{bind} is in use: choose another --bind") from error
        reason = f"{error.strerror}; choose another --bind"
        raise StartError(f"cannot listen on {bind}: {reason}") from error
    host, port = bind.rpartition(":")[0], sockets.insecure_sockets[0].getsockname()[1]
    return sockets, f"{host}:{port}"


def close(sockets: Sockets) -> None:
    """Stop listening."""
    for listener in sockets.insecure_sockets:
        listener.close()


async def serve(
    app: App,
    sockets: Sockets,
    *,
    stop: asyncio.Event,
    max_streams: int,
    grace_period: float,
) -> None:
    """Serve `app` until `stop`, then wait for the calls in flight.

    Args:
        max_streams: How many calls one connection may have in flight.
        grace_period: The longest time to wait for the calls in flight, in seconds.
    """
    config = Config()
    config.graceful_timeout = grace_period
    config.h2_max_concurrent_streams = max_streams
    config.keep_alive_max_requests = _UNLIMITED
    config.keep_alive_timeout = _UNLIMITED
    config.errorlog = logging.getLogger("hypercorn.error")
    await worker_serve(
        ASGIWrapper(app),  # pyright: ignore[reportArgumentType] - a type for each event
        config,
        sockets=sockets,
        shutdown_trigger=stop.wait,
    )
