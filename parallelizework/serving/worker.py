"""`serve`: runs a worker, in one process or in several that share a port."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib.util import find_spec
from typing import NoReturn

from hypercorn.config import Sockets

from parallelizework.errors import StartError
from parallelizework.serving import hypercorn_fixes, hypercorn_server, logs, shutdown
from parallelizework.serving.app import load_app
from parallelizework.serving.protocol_guard import ProtocolGuard
from parallelizework.serving.supervisor import Supervisor
from parallelizework.settings import Settings

_logger = logging.getLogger(__name__)
# Calls on one connection. For more calls, the restate-server opens another connection.
_MAX_STREAMS = 1_000
# The system distributes connections to the processes, not calls. Many connections with
# few calls each distribute the calls evenly.
_MAX_STREAMS_SHARED = 32
_INTERRUPTED = 128 + signal.SIGINT  # the exit code, as in shells


def serve(settings: Settings, *, bind: str, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT, then wait for the calls in flight.

    Args:
        settings: The targets, the ASGI server and the grace period.
        bind: The address to listen on, as `HOST:PORT`.
        workers: The number of processes that share the port; 1 with granian.

    Raises:
        TargetError: One of `settings.fan_outs` names nothing that can be served.
        PortInUse: The port is in use.
        StartError: The process cannot listen on the address; the ASGI server is not
            installed; granian has more than one process; or a process died soon after
            each of its starts.
    """
    if settings.server == "granian":
        _check_granian(workers)
    app = _load(settings)  # also with several processes: an error is reported once
    sockets, address = hypercorn_server.listen(bind)
    if settings.server == "granian":
        hypercorn_server.close(sockets)  # granian opens its own sockets
        _serve_with_granian(app, address, settings.grace_period)
    _logger.info("Serving on %s", address)
    if workers == 1:
        _serve_with_hypercorn(app, sockets, _MAX_STREAMS, settings.grace_period)
    else:
        grace = settings.grace_period
        supervisor = Supervisor(process, settings, sockets, grace_period=grace)
        supervisor.run(workers, on_stop=lambda: hypercorn_server.close(sockets))


def process(settings: Settings, sockets: Sockets) -> None:
    """The entry point of each of several processes."""
    app = _load(settings)
    _serve_with_hypercorn(app, sockets, _MAX_STREAMS_SHARED, settings.grace_period)


def _check_granian(workers: int) -> None:
    if not find_spec("granian"):
        raise StartError(
            "granian is not installed: pip install 'parallelizework[granian]'"
        )
    if workers > 1:
        raise StartError("granian runs in one process only: leave --workers at 1")


def _load(settings: Settings) -> ProtocolGuard:
    app = load_app(settings)
    logs.configure()  # unless a served module has configured logging
    return app


def _serve_with_hypercorn(
    app: ProtocolGuard, sockets: Sockets, max_streams: int, grace_period: float
) -> None:
    hypercorn_fixes.apply()
    _run(
        lambda stop: hypercorn_server.serve(
            app,
            sockets,
            stop=stop,
            max_streams=max_streams,
            grace_period=grace_period,
        )
    )
    if threading.active_count() > 1:  # the exit would wait for sync functions
        _exit(0)


def _serve_with_granian(
    app: ProtocolGuard, address: str, grace_period: float
) -> NoReturn:
    from parallelizework.serving import granian_server  # noqa: PLC0415 - an optional extra

    _run(
        lambda stop: granian_server.serve(
            app,
            address,
            on_start=lambda: _logger.info("Serving on %s", address),
            stop=stop,
            grace_period=grace_period,
        )
    )
    _exit(0)  # granian's threads would abort an interpreter that ends before them


def _run(serve: Callable[[asyncio.Event], Coroutine[None, None, None]]) -> None:
    """Serve until a signal, or until a subtask raises KeyboardInterrupt.

    KeyboardInterrupt stops the event loop. The loop is not closed then: closing would
    wait for calls that cannot end without the loop.
    """

    async def until_a_signal() -> None:
        await serve(_set_at_a_signal())

    with asyncio.Runner() as runner:
        try:
            runner.run(until_a_signal())
        except KeyboardInterrupt:
            _logger.error("KeyboardInterrupt: this process ends")  # noqa: TRY400 - no error of ours
            _exit(_INTERRUPTED)


def _set_at_a_signal() -> asyncio.Event:
    """An event that is set at SIGTERM or SIGINT."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        shutdown.notify()

    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, end)
    return stop


def _exit(code: int) -> NoReturn:
    """End the process without waiting for threads."""
    logging.shutdown()
    with suppress(OSError):  # the reader of stdout may have ended
        sys.stdout.flush()
    os._exit(code)
