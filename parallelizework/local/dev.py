"""`local`: a restate-server on this machine, with a registered worker."""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from parallelizework.client import Client
from parallelizework.local.ports import Ports, url
from parallelizework.local.process import RestartableProcess
from parallelizework.local.server import LocalServer, local_server
from parallelizework.local.worker import worker


@dataclass(frozen=True)
class Local:
    """A local restate-server with a registered worker.

    Attributes:
        server: The server.
        worker: The URL of the worker.
        worker_process: The process of the worker.
        services: The names of the services that the worker serves.
        fan_outs: The names of the services that are fan-outs.
    """

    server: LocalServer
    worker: str
    worker_process: RestartableProcess
    services: Sequence[str]
    fan_outs: Sequence[str]

    @property
    def ingress(self) -> str:
        """The URL of the server's ingress."""
        return self.server.ingress

    @property
    def admin(self) -> str:
        """The URL of the server's admin API."""
        return self.server.admin

    @property
    def processes(self) -> Sequence[Popen[bytes]]:
        """The processes of the server and of the worker."""
        return [self.server.process.process, self.worker_process.process]


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
        fan_outs: The targets to serve, as `loader.load` accepts them; by default all
            ready-made fan-outs.
        ports: The ports; see `Ports` for the defaults.
        data: The server's data folder. By default, all data is deleted at the end.
        server: The restate-server program. By default, it is found or installed.
        workers: The number of worker processes.
        environment: Additional environment variables for the server and the worker.

    Raises:
        ServerNotFound: restate-server is not installed and cannot be installed.
        PortInUse: A port is in use.
        StartError: The server or the worker did not start.
        RegistrationError: The server refused to register the worker.
        Unreachable: The server does not answer.
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
        # The data folder may have registered this URL with other handlers.
        with Client(admin=started.admin) as client:
            services = client.register(address, force=data is not None)
        yield Local(started, address, process, services, services.fan_outs)
