"""Serve `parallelizework.app:app` with hypercorn, over HTTP/2."""

import asyncio
import errno
import logging
import os
import shlex
import signal
import threading
from collections.abc import Sequence
from importlib import import_module
from logging.config import dictConfig
from typing import Any

from hypercorn.asyncio import (
    serve as serve_here,  # pyright: ignore[reportUnknownVariableType] - half typed
)
from hypercorn.config import Config
from hypercorn.run import run as serve_in_processes
from restate.extensions import current_context
from restate.server import install_shutdown_hook

from parallelizework.errors import PortInUse
from parallelizework.http2 import mend
from parallelizework.settings import Settings

mend()  # in each worker process, as its logging set-up imports this module
_logger = logging.getLogger(__name__)
_UNLIMITED = 2**31 - 1  # Restate bounds what is in flight; a second limit only stalls
# Of several processes each gets connections, not calls: many small ones spread evenly.
_SHARED = 32
_APP = "parallelizework.app"


def serve(fan_outs: Sequence[str], *, bind: Sequence[str], workers: int = 1) -> int:
    """Serve until SIGTERM or SIGINT, then let calls in flight finish for a while.

    Args:
        fan_outs: `MODULE:OBJECT`s; none for the ready-made fan-outs.
        bind: `HOST:PORT`s to listen on.
        workers: How many processes share those ports.

    Returns:
        The exit code.

    Raises:
        TargetError: One of `fan_outs` names no fan-out.
        PortInUse: One of `bind` is taken.
    """
    settings = Settings()
    os.environ["PARALLELIZEWORK_FAN_OUTS"] = shlex.join(fan_outs or settings.fan_outs)
    app = import_module(_APP).app  # here also to fail before any process starts
    config = _config(bind, workers, settings.grace_period)
    dictConfig(_LOGGING)
    _logger.info("Serving on %s", ", ".join(config.bind))
    try:
        if workers > 1:
            return serve_in_processes(config)
        asyncio.run(_serve(app, config))
        if threading.active_count() > 1:  # a sync function would hold up the exit
            logging.shutdown()
            os._exit(0)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortInUse(
            f"{', '.join(bind)} is in use: choose another --bind"
        ) from error
    return 0


async def _serve(app: Any, config: Config) -> None:
    """Serve in this process, stopped through the SDK's hooks.

    The SDK takes SIGTERM for itself at the first request, so hypercorn's own handler
    would never hear of it.
    """
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        install_shutdown_hook(asyncio.get_running_loop(), stop.set, signum)
    await serve_here(app, config, shutdown_trigger=stop.wait)


def _config(bind: Sequence[str], workers: int, grace_period: float) -> Config:
    config = Config()
    config.application_path = f"{_APP}:app"
    config.bind = list(bind)
    config.workers = workers
    config.graceful_timeout = grace_period
    config.h2_max_concurrent_streams = _UNLIMITED if workers == 1 else _SHARED
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
    "loggers": {"hypercorn.error": {"level": "ERROR"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
