"""`System`: a restate-server on loopback with its registered workers."""

import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.measurement import Measured, Processes, measured
from benchmarks.workers import Worker
from parallelizework.client import Client
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports, url
from parallelizework.local.server import restate_server

LONGEST = 1_800  # seconds; a run that takes longer has failed


@dataclass(frozen=True)
class System:
    """A restate-server on loopback with its registered workers.

    Attributes:
        ingress: The URL of the server's ingress.
        admin: The URL of the server's admin API.
        server: The process id of the server.
        workers: The process id of the worker of each service.
        client: An HTTP client without a limit of connections.
    """

    ingress: str
    admin: str
    server: int
    workers: Mapping[str, int]
    client: httpx.Client

    def processes(self, service: str) -> Processes:
        """Return the processes that execute a service."""
        return Processes(self.workers[service], self.server)

    def run(self, service: str, task: object) -> Any:
        """Run a task, and return its result."""
        answer = self.client.post(f"{self.ingress}/{service}/run", json=task)
        return answer.raise_for_status().json()

    def total(self, service: str, count: int) -> int:
        """Run no-op subtasks, and return the sum of their numbers."""
        return checked(partial(self.run, service), count)

    def measured(self, service: str, count: int, *, name: str = "") -> Measured:
        """Run no-op subtasks, and measure the run; by default, `name` is `service`."""
        run = partial(self.total, service)
        return measured(name or service, count, run, self.processes(service))


@contextmanager
def system(
    *workers: Worker, settings: Mapping[str, str] | None = None
) -> Generator[System, None, None]:
    """Run a restate-server and workers until the block ends.

    Args:
        workers: The workers. If two workers serve the same service, the second one
            executes the service.
        settings: Additional environment variables for the server.
    """
    with TemporaryDirectory() as folder, ExitStack() as stack:
        ports = Ports(0, 0, 0).chosen()
        program, data = find("restate-server"), Path(folder)
        server = stack.enter_context(
            restate_server(program, ports, data, os.environ, settings)
        )
        admin = stack.enter_context(Client(admin=url(ports.admin)))
        limits = httpx.Limits(max_connections=None)
        client = stack.enter_context(httpx.Client(timeout=LONGEST, limits=limits))
        processes: dict[str, int] = {}
        for worker in workers:
            port = Ports(0, 0, 0).chosen().worker
            process = stack.enter_context(worker(port))
            services = admin.register(url(port))
            processes |= dict.fromkeys(services, process.pid)
        urls = url(ports.ingress), url(ports.admin)
        yield System(*urls, server.pid, processes, client)


def end_on_sigterm() -> None:
    """Let SIGTERM end the blocks of this process, so that no server is left."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def checked(run: Callable[[int], int], count: int) -> int:
    """Run, and check that no subtask is lost or counted twice; return the sum."""
    total = run(count)
    assert total == count * (count - 1) // 2, f"{total} is wrong for {count}"
    return total
