"""Serve `parallelizework.app:app` over HTTP/2, with hypercorn or granian."""

import asyncio
import errno
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from logging.config import dictConfig
from typing import Any

from hypercorn.asyncio import (
    serve as serve_here,  # pyright: ignore[reportUnknownVariableType] - half typed
)
from hypercorn.config import Config
from hypercorn.run import run as serve_in_processes
from restate.extensions import current_context
from restate.server import install_shutdown_hook

from parallelizework.errors import PortInUse, StartError
from parallelizework.http2 import mend
from parallelizework.settings import ServerName, Settings

mend()  # in each worker process, as its logging set-up imports this module
_logger = logging.getLogger(__name__)
_UNLIMITED = 2**31 - 1  # Restate bounds what is in flight; a second limit only stalls
# Calls on one connection; for more, the server opens another.
_STREAMS = 1_000
# Of several processes each gets connections, not calls: many small ones spread evenly.
_SHARED = 32
_APP = "parallelizework.app"


def serve(
    fan_outs: Sequence[str], *, bind: str, workers: int = 1, server: ServerName | None
) -> int:
    """Serve until SIGTERM or SIGINT, then let calls in flight finish for a while.

    Args:
        fan_outs: `MODULE:OBJECT`s; none for the ready-made fan-outs.
        bind: `HOST:PORT` to listen on.
        workers: How many processes share that port; one, with granian.
        server: Which ASGI server; None for what the settings say.

    Returns:
        The exit code.

    Raises:
        TargetError: One of `fan_outs` names no fan-out.
        PortInUse: `bind` is taken.
        StartError: The server is not installed, or cannot have so many workers.
    """
    settings = Settings()
    server = server or settings.server
    if server == "granian":
        _check_granian(workers)
    os.environ["PARALLELIZEWORK_FAN_OUTS"] = shlex.join(fan_outs or settings.fan_outs)
    app = import_module(_APP).app  # here also to fail before any process starts
    config = _config(bind, workers, settings.grace_period)
    dictConfig(_LOGGING)
    _logger.info("Serving on %s", bind)
    try:
        if workers > 1:
            return serve_in_processes(config)
        asyncio.run(_serve(app, config, server))
        # A sync function would hold up the exit, and granian's threads would abort it.
        if server == "granian" or threading.active_count() > 1:
            _exit()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortInUse(f"{bind} is in use: choose another --bind") from error
    return 0


def _exit() -> None:
    """End without waiting for threads."""
    logging.shutdown()
    with suppress(OSError):  # nobody reads it any more
        sys.stdout.flush()
    os._exit(0)


def _check_granian(workers: int) -> None:
    if not find_spec("granian"):
        raise StartError(
            "granian is not installed: pip install 'parallelizework[granian]'"
        )
    if workers > 1:
        raise StartError("granian has one process here: leave --workers at 1")


async def _serve(app: Any, config: Config, server: ServerName) -> None:
    """Serve in this process, stopped through the SDK's hooks.

    The SDK takes SIGTERM for itself at the first request, so hypercorn's own handler
    would never hear of it; nor would granian's.
    """
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        install_shutdown_hook(asyncio.get_running_loop(), stop.set, signum)
    if server == "granian":
        from parallelizework import granian_server  # noqa: PLC0415 - an optional extra

        grace = config.graceful_timeout
        await granian_server.serve(app, config.bind[0], stop=stop, grace_period=grace)
    else:
        await serve_here(app, config, shutdown_trigger=stop.wait)


def _config(bind: str, workers: int, grace_period: float) -> Config:
    config = Config()
    config.application_path = f"{_APP}:app"
    config.bind = [bind]
    config.workers = workers
    config.graceful_timeout = grace_period
    config.h2_max_concurrent_streams = _STREAMS if workers == 1 else _SHARED
    config.keep_alive_max_requests = _UNLIMITED
    config.keep_alive_timeout = _UNLIMITED
    config.errorlog = logging.getLogger("hypercorn.error")
    config.logconfig_dict = _LOGGING
    return config


class InvocationFilter(logging.Filter):
    """Adds the invocation id to a log record, or `-` outside of a handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        try:
            context = current_context()
        except LookupError:
            context = None
        record.invocation = context.request().id if context else "-"
        return True


_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"invocation": {"()": f"{__name__}.{InvocationFilter.__name__}"}},
    "formatters": {
        "line": {
            "format": "%(asctime)s %(levelname)s pid=%(process)d "
            "invocation=%(invocation)s %(message)s"
        }
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["invocation"],
            "formatter": "line",
        }
    },
    # It warns at each start that the SDK's app takes no part in ASGI's lifespan.
    # httpx would log the URL of each request of HttpFanOut, with all that is in it.
    "loggers": {
        "hypercorn.error": {"level": "ERROR"},
        "httpx": {"level": "WARNING"},
    },
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
