"""`serve`: a worker, in one process or in several that share a port."""

import logging
from importlib.util import find_spec

from parallelizework.errors import StartError
from parallelizework.serving import hypercorn_server, process
from parallelizework.serving.supervisor import Supervisor
from parallelizework.settings import Settings

_logger = logging.getLogger(__name__)
# Calls on one connection; for more, the server opens another.
_MAX_STREAMS = 1_000
# Of several processes each gets connections, not calls: many small ones spread evenly.
_MAX_STREAMS_SHARED = 32


def serve(settings: Settings, *, bind: str, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT, then let calls in flight finish for a while.

    Args:
        settings: What to serve, with which server, and how long after a signal.
        bind: `HOST:PORT` to listen on.
        workers: How many processes share that port; one, with granian.

    Raises:
        TargetError: One of `settings.fan_outs` names nothing that can be served.
        PortInUse: `bind` is taken.
        StartError: `bind` cannot be had; the server is not installed, or cannot have so
            many workers; or a worker died at each of its starts.
    """
    if settings.server == "granian":
        _check_granian(workers)
    app = process.prepare(settings)  # also to fail before any process starts
    sockets, address = hypercorn_server.listen(bind)
    grace = settings.grace_period
    if settings.server == "granian":
        hypercorn_server.close(sockets)  # granian opens its own, and would share a port
        process.run_granian(app, address, grace_period=grace)
    _logger.info("Serving on %s", address)
    if workers == 1:
        process.run_hypercorn(
            app, sockets, max_streams=_MAX_STREAMS, grace_period=grace
        )
    else:
        supervisor = Supervisor(
            process.main, settings, sockets, _MAX_STREAMS_SHARED, grace_period=grace
        )
        supervisor.run(workers, on_stop=lambda: hypercorn_server.close(sockets))


def _check_granian(workers: int) -> None:
    if not find_spec("granian"):
        raise StartError(
            "granian is not installed: pip install 'parallelizework[granian]'"
        )
    if workers > 1:
        raise StartError("granian has one process here: leave --workers at 1")
