"""A local restate-server with a worker registered at it."""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import httpx

from parallelizework.client import Client
from parallelizework.client.admin import Admin
from parallelizework.client.transport import run
from parallelizework.local.ports import Ports, url
from parallelizework.local.server import LocalServer, local_server
from parallelizework.local.worker import WorkerProcess, worker


@dataclass(frozen=True)
class Local:
    """A local restate-server with a worker registered at it.

    Attributes:
        server: The server.
        worker: The worker's URL.
        worker_process: What runs it.
        services: The names of what the worker serves.
        fan_outs: Those of them that are fan-outs.
    """

    server: LocalServer
    worker: str
    worker_process: WorkerProcess
    services: Sequence[str]
    fan_outs: Sequence[str]

    @property
    def ingress(self) -> str:
        """The URL for requests."""
        return self.server.ingress

    @property
    def admin(self) -> str:
        """The URL of the admin interface."""
        return self.server.admin

    @property
    def processes(self) -> Sequence[Popen[bytes]]:
        """The server's process and the worker's."""
        return [self.server.process, self.worker_process.process]


@contextmanager
def local(  # noqa: PLR0913 - each is one switch of `parallelizework dev`
    fan_outs: Sequence[str] = (),
    *,
    ports: Ports | None = None,
    data: Path | None = None,
    server: Path | None = None,
    workers: int = 1,
    environment: Mapping[str, str] | None = None,
) -> Generator[Local, None, None]:
    """Run a restate-server and a worker until the block ends.

    Args:
        fan_outs: What to serve, as `loader.load` reads it; none for the ready-made
            fan-outs.
        ports: Where to listen; see `Ports` for the defaults.
        data: The server's data folder; without one, nothing is kept.
        server: The restate-server program; without one, it is found or installed.
        workers: How many processes the worker has.
        environment: More variables for server and worker.

    Raises:
        ServerNotFound, PortInUse, StartError, RegistrationError, Unreachable: It did
            not come up.
    """
    ports = (ports or Ports()).chosen()
    variables = {**os.environ, **(environment or {})}
    with (
        local_server(
            ports=ports, data=data, server=server, environment=variables
        ) as started,
        worker(
            fan_outs, ports.worker, workers=workers, environment=variables
        ) as process,
    ):
        address = url(ports.worker)
        # A kept data folder may know other handlers under this address.
        with Client(admin=started.admin) as client:
            services = client.register(address, force=data is not None)
        with httpx.Client(trust_env=False) as http:
            known = run(Admin(started.admin).fan_outs(), http)
        served = [name for name in services if name in known]
        yield Local(started, address, process, services, served)
