"""`serve`: runs a worker, in one process or in several that share a port."""

import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from hypercorn.config import Sockets

from parallelizework.metrics.served import (
    SharedMetrics,
    metrics_of_processes,
    metrics_of_this_process,
)
from parallelizework.serving import hypercorn_fixes, hypercorn_server, logs, shutdown
from parallelizework.serving.app import load_app
from parallelizework.serving.protocol_guard import ProtocolGuard
from parallelizework.serving.supervisor import Supervisor
from parallelizework.settings import Settings
from parallelizework.tracing.start import flush

_logger = logging.getLogger(__name__)
# Calls on one connection. For more calls, the restate-server opens another connection.
_MAX_STREAMS = 1_000
# The system distributes connections to the processes, not calls. Many connections with
# few calls each distribute the calls evenly.
_MAX_STREAMS_SHARED = 32
_FLUSH = 1.0  # seconds after the grace period, for the last spans
_INTERRUPTED = 128 + signal.SIGINT  # the exit code, as in shells


def serve(settings: Settings, *, bind: str, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT, then wait for the calls in flight.

    Args:
        settings: The targets, the grace period, and the port of the metrics.
        bind: The address to listen on, as `HOST:PORT`.
        workers: The number of processes that share the port.

    Raises:
        TargetError: One of `settings.fan_outs` names nothing that can be served.
        PortInUse: The port, or the port of the metrics, is in use.
        StartError: The process cannot listen on an address; or a process died soon
            after each of its starts.
        ExtraMissing: Metrics need an extra that is not installed.
    """
    if workers == 1:
        _serve_alone(settings, bind)
    else:
        _serve_together(settings, bind, workers)


def _serve_alone(settings: Settings, bind: str) -> None:
    app = _load(settings, with_metrics=settings.metrics_bind is not None)
    with metrics_of_this_process(settings.metrics_bind):
        sockets = _listen(bind)
        _serve_until_a_signal(app, sockets, _MAX_STREAMS, settings.grace_period)
    _end()


def _serve_together(settings: Settings, bind: str, workers: int) -> None:
    _load(settings)  # the processes do the same: but so, an error is reported once
    with metrics_of_processes(settings.metrics_bind) as metrics:
        sockets, grace = _listen(bind), settings.grace_period
        supervisor = Supervisor(process, settings, sockets, metrics, grace_period=grace)
        supervisor.run(
            workers,
            on_stop=lambda: hypercorn_server.close(sockets),
            on_death=metrics.forget_gauges if metrics else None,
        )


def process(
    settings: Settings, sockets: Sockets, metrics: SharedMetrics | None
) -> None:
    """The entry point of each of several processes."""
    with logs.fatal_errors_logged(settings.log_format):
        if metrics:
            metrics.write()
        app = _load(settings, with_metrics=metrics is not None)
        grace = settings.grace_period
        _serve_until_a_signal(app, sockets, _MAX_STREAMS_SHARED, grace)
    _end()


def _load(settings: Settings, *, with_metrics: bool = False) -> ProtocolGuard:
    app = load_app(settings, with_metrics=with_metrics)
    logs.configure(settings.log_format)  # unless a served module has configured logging
    return app


def _listen(bind: str) -> Sockets:
    sockets, address = hypercorn_server.listen(bind)
    _logger.info("Serving on %s", address)
    return sockets


def _serve_until_a_signal(
    app: ProtocolGuard, sockets: Sockets, max_streams: int, grace_period: float
) -> None:
    """Serve until SIGTERM or SIGINT, or until a subtask raises KeyboardInterrupt.

    KeyboardInterrupt stops the event loop. The loop is not closed then: closing would
    wait for calls that cannot end without the loop.
    """
    hypercorn_fixes.apply()

    async def until_a_signal() -> None:
        await hypercorn_server.serve(
            app,
            sockets,
            stop=_set_at_a_signal(),
            max_streams=max_streams,
            grace_period=grace_period,
        )

    with asyncio.Runner() as runner:
        try:
            runner.run(until_a_signal())
        except KeyboardInterrupt:
            _logger.error("KeyboardInterrupt: this process ends")  # noqa: TRY400 - no error of ours
            _exit(_INTERRUPTED)


def _end() -> None:
    """Send the last spans, and end without waiting for sync functions in threads."""
    for signum in (signal.SIGTERM, signal.SIGINT):  # another one changes nothing now
        signal.signal(signum, signal.SIG_IGN)
    flush(_FLUSH)
    if threading.active_count() > 1:
        _exit(0)


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
