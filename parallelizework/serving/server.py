"""Serve `parallelizework.serving.asgi:app` over HTTP/2, with hypercorn or granian."""

import asyncio
import errno
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.run import (
    worker_serve,  # pyright: ignore[reportUnknownVariableType] - half typed
)
from hypercorn.config import Config, Sockets

from parallelizework.errors import PortInUse, StartError
from parallelizework.serving import logs, shutdown
from parallelizework.serving.hypercorn_fixes import mend
from parallelizework.serving.supervisor import Supervisor
from parallelizework.settings import ServerName, Settings

_logger = logging.getLogger(__name__)
_UNLIMITED = 2**31 - 1  # Restate bounds what is in flight; a second limit only stalls
# Calls on one connection; for more, the server opens another.
_STREAMS = 1_000
# Of several processes each gets connections, not calls: many small ones spread evenly.
_SHARED = 32
_INTERRUPTED = 128 + signal.SIGINT  # the exit code, as a shell has it


def serve(
    fan_outs: Sequence[str], *, bind: str, workers: int = 1, server: ServerName | None
) -> None:
    """Serve until SIGTERM or SIGINT, then let calls in flight finish for a while.

    Args:
        fan_outs: What to serve, as `target.load` reads it; none for what the settings
            name.
        bind: `HOST:PORT` to listen on.
        workers: How many processes share that port; one, with granian.
        server: Which ASGI server; None for what the settings say.

    Raises:
        TargetError: One of `fan_outs` names nothing that can be served.
        PortInUse: `bind` is taken.
        StartError: `bind` cannot be had; the server is not installed, or cannot have so
            many workers; or a worker died at each of its starts.
    """
    settings = Settings()
    server = server or settings.server
    if server == "granian":
        _check_granian(workers)
    os.environ["PARALLELIZEWORK_FAN_OUTS"] = shlex.join(fan_outs or settings.fan_outs)
    app = _load()  # here also to fail before any process starts
    sockets, address = _listening(bind)
    grace = settings.grace_period
    if server == "granian":
        _close(sockets)  # granian opens its own, but would share a port with others
        _run(_serve_with_granian(app, address, grace))
        _exit(0)  # its threads would abort an interpreter that ends before they do
    _logger.info("Serving on %s", address)
    if workers == 1:
        _work(sockets, _STREAMS, grace)
    else:
        supervisor = Supervisor(_work, sockets, _SHARED, grace, grace_period=grace)
        supervisor.run(workers, on_stop=lambda: _close(sockets))


def _check_granian(workers: int) -> None:
    if not find_spec("granian"):
        raise StartError(
            "granian is not installed: pip install 'parallelizework[granian]'"
        )
    if workers > 1:
        raise StartError("granian has one process here: leave --workers at 1")


def _load() -> Any:
    app = import_module("parallelizework.serving.asgi").app
    logs.configure()  # unless what is served has done so
    return app


def _listening(bind: str) -> tuple[Sockets, str]:
    """Sockets that listen, and their `HOST:PORT`."""
    config = Config()
    config.bind = [bind]
    try:
        sockets = config.create_sockets()
        for listener in sockets.insecure_sockets:
            listener.listen(config.backlog)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"{bind} is in use: choose another --bind") from error
        raise StartError(f"cannot listen on {bind}: {error.strerror}") from error
    host, port = bind.rpartition(":")[0], sockets.insecure_sockets[0].getsockname()[1]
    return sockets, f"{host}:{port}"


def _close(sockets: Sockets) -> None:
    for listener in sockets.insecure_sockets:
        listener.close()


def _work(sockets: Sockets, streams: int, grace_period: float) -> None:
    """Serve in this process, of one or of several."""
    mend()
    _run(_serve_with_hypercorn(_load(), sockets, _config(streams, grace_period)))
    if threading.active_count() > 1:  # a sync function would hold up the exit
        _exit(0)


def _run(serving: Coroutine[Any, Any, None]) -> None:
    """Run until the end, or until a subtask raises KeyboardInterrupt.

    That stops the loop. To close it would wait for calls that cannot end without it.
    """
    with asyncio.Runner() as runner:
        try:
            runner.run(serving)
        except KeyboardInterrupt:
            _logger.error("KeyboardInterrupt: this process ends")  # noqa: TRY400 - as asked
            _exit(_INTERRUPTED)


def _exit(code: int) -> None:
    """End without waiting for threads."""
    logging.shutdown()
    with suppress(OSError):  # nobody reads it any more
        sys.stdout.flush()
    os._exit(code)


async def _serve_with_hypercorn(app: Any, sockets: Sockets, config: Config) -> None:
    stop = _stop_at_a_signal()
    app = ASGIWrapper(app)
    await worker_serve(app, config, sockets=sockets, shutdown_trigger=stop.wait)


async def _serve_with_granian(app: Any, address: str, grace_period: float) -> None:
    from parallelizework.serving import granian_server  # noqa: PLC0415 - an optional extra

    await granian_server.serve(
        app,
        address,
        on_start=lambda: _logger.info("Serving on %s", address),
        stop=_stop_at_a_signal(),
        grace_period=grace_period,
    )


def _stop_at_a_signal() -> asyncio.Event:
    """What is set at SIGTERM or SIGINT."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        shutdown.notify()

    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, end)
    return stop


def _config(streams: int, grace_period: float) -> Config:
    config = Config()
    config.graceful_timeout = grace_period
    config.h2_max_concurrent_streams = streams
    config.keep_alive_max_requests = _UNLIMITED
    config.keep_alive_timeout = _UNLIMITED
    config.errorlog = logging.getLogger("hypercorn.error")
    return config
