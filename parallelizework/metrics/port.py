"""`metrics_port`: the port on which Prometheus reads the metrics of a worker."""

import errno
import logging
from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    disable_created_metrics,
    start_http_server,
)

from parallelizework.errors import PortInUse, StartError

_logger = logging.getLogger(__name__)
_VARIABLE = "PARALLELIZEWORK_METRICS_BIND"


@contextmanager
def metrics_port(bind: str, registry: CollectorRegistry) -> Generator[None]:
    """Serve the metrics of a registry in a thread of its own until the block ends.

    Args:
        bind: The address to listen on, as `HOST:PORT`.
        registry: The registry of the metrics.

    Raises:
        PortInUse: The port is in use.
        StartError: The process cannot listen on that address.
    """
    host, _, port = bind.rpartition(":")
    disable_created_metrics()  # Prometheus does not need them, and they double the text
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"{bind} is in use: choose another {_VARIABLE}") from error
        reason = f"{error.strerror}; choose another {_VARIABLE}"
        raise StartError(f"cannot listen on {bind}: {reason}") from error
    _logger.info("Metrics on http://%s:%s/metrics", host, server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
