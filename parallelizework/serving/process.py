"""One process of a worker: it serves until a signal, and does not wait for threads."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import NoReturn

from hypercorn.config import Sockets

from parallelizework.serving import hypercorn_fixes, hypercorn_server, logs, shutdown
from parallelizework.serving.loader import load_app
from parallelizework.serving.protocol_guard import ProtocolGuard
from parallelizework.settings import Settings

_logger = logging.getLogger(__name__)
_INTERRUPTED = 128 + signal.SIGINT  # the exit code, as a shell has it


def main(settings: Settings, sockets: Sockets, max_streams: int) -> None:
    """The entry of each of several processes: its arguments say all that it serves."""
    app = prepare(settings)
    grace = settings.grace_period
    run_hypercorn(app, sockets, max_streams=max_streams, grace_period=grace)


def prepare(settings: Settings) -> ProtocolGuard:
    """The application for what the settings name; the log is configured."""
    app = load_app(settings)
    logs.configure()  # unless what is served has done so
    return app


def run_hypercorn(
    app: ProtocolGuard, sockets: Sockets, *, max_streams: int, grace_period: float
) -> None:
    """Serve on open sockets with hypercorn until a signal."""
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
    if threading.active_count() > 1:  # a sync function would hold up the exit
        _exit(0)


def run_granian(app: ProtocolGuard, address: str, *, grace_period: float) -> NoReturn:
    """Serve at `HOST:PORT` with granian until a signal, and exit."""
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
    _exit(0)  # its threads would abort an interpreter that ends before they do


def _run(serve: Callable[[asyncio.Event], Coroutine[None, None, None]]) -> None:
    """Serve until a signal, or until a subtask raises KeyboardInterrupt.

    That stops the loop. To close it would wait for calls that cannot end without it.
    """

    async def until_a_signal() -> None:
        await serve(_set_at_a_signal())

    with asyncio.Runner() as runner:
        try:
            runner.run(until_a_signal())
        except KeyboardInterrupt:
            _logger.error("KeyboardInterrupt: this process ends")  # noqa: TRY400 - as asked
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
    """End without waiting for threads."""
    logging.shutdown()
    with suppress(OSError):  # nobody reads it any more
        sys.stdout.flush()
    os._exit(code)
