"""`Requests`: many small requests, each a run of four subtasks."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.measurement import note
from benchmarks.systems import System

SUBTASKS = 4
_SETTLE = 1.0  # seconds until updates that the requests do not wait for have ended


@dataclass(frozen=True)
class Requests:
    """Requests of one service, or the medians of several measurements.

    Attributes:
        name: The name of the service.
        clients: The number of clients that send requests at once.
        p50, p99: The durations of requests, in milliseconds.
        worker_ms, server_ms: The CPU time for each request, in milliseconds.
    """

    name: str
    clients: int
    p50: float
    p99: float
    worker_ms: float
    server_ms: float

    @property
    def cpu_ms(self) -> float:
        """The CPU time of worker and server for each request, in milliseconds."""
        return self.worker_ms + self.server_ms


def requests(system: System, service: str, clients: int, count: int) -> Requests:
    """Send `count` requests, and measure them."""

    def one(_request: int) -> float:
        start = time.perf_counter()
        system.total(service, SUBTASKS)
        return (time.perf_counter() - start) * 1_000

    processes = system.processes(service)
    worker, server = processes.cpu()
    with ThreadPoolExecutor(clients) as pool:
        durations = list(pool.map(one, range(count)))
    time.sleep(_SETTLE)
    worker_end, server_end = processes.cpu()
    cuts = statistics.quantiles(durations, n=100)
    worker_ms = (worker_end - worker) / count * 1_000
    server_ms = (server_end - server) / count * 1_000
    row = Requests(service, clients, cuts[49], cuts[98], worker_ms, server_ms)
    note(
        f"{service}, requests of 4 subtasks, {clients} clients: p50 {row.p50:.1f} ms, "
        f"{row.cpu_ms:.1f} ms of CPU"
    )
    return row


def median(rows: Sequence[Requests]) -> Requests:
    """Return the medians of several measurements of one service."""
    return Requests(
        rows[0].name,
        rows[0].clients,
        statistics.median(row.p50 for row in rows),
        statistics.median(row.p99 for row in rows),
        statistics.median(row.worker_ms for row in rows),
        statistics.median(row.server_ms for row in rows),
    )
