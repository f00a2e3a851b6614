"""A local restate-server and a worker: start, register, stop."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from parallelizework.client import Client, healthy
from parallelizework.errors import PortInUse, StartError
from parallelizework.local.binaries import find
from parallelizework.serving.supervisor import ending
from parallelizework.serving.worker_process import WorkerProcess

_READY_SECONDS = 60  # a cold start on a busy machine; it is usually ready in two
_STOP_SECONDS = 20  # then it is killed
_HOST = "127.0.0.1"
_LOG = "restate-server.log"  # in the data folder
_TAIL = 2_000  # bytes of it that an error shows


@dataclass(frozen=True)
class Ports:
    """Where a local server and worker listen on loopback; 0 is any free port."""

    ingress: int = 8080
    admin: int = 9070
    worker: int = 9080
    node: int = 0

    def chosen(self) -> "Ports":
        """The same ports, with free ones in the place of zeros.

        Raises:
            PortInUse: A port is taken; the message names it.
        """
        with ExitStack() as held:  # all at once, so that no two are the same
            return Ports(
                *(_held(held, name, port) for name, port in vars(self).items())
            )


@dataclass(frozen=True)
class LocalServer:
    """A restate-server on this machine: its URLs, its process, its log."""

    ingress: str
    admin: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def check(self) -> None:
        """See that it runs.

        Raises:
            StartError: It has ended.
        """
        code = self.process.poll()
        if code is not None:
            raise StartError(
                f"restate-server {ending(code)}\n{_tail(self.log)}".strip()
            )


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
    def processes(self) -> Sequence["subprocess.Popen[bytes]"]:
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
        fan_outs: What to serve, as `target.load` reads it; none for the ready-made
            fan-outs.
        ports: Where to listen; see `Ports` for the defaults.
        data: The server's data folder; without one, what it stores goes at the end.
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
        _worker(
            fan_outs, ports.worker, workers=workers, environment=variables
        ) as process,
    ):
        worker = _url(ports.worker)
        # A kept data folder may know other handlers under this address.
        with Client(admin=started.admin) as client:
            services = client.register(worker, force=data is not None)
        yield Local(started, worker, process, services, services.fan_outs)


@contextmanager
def local_server(
    *,
    ports: Ports,
    data: Path | None = None,
    server: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator[LocalServer, None, None]:
    """Run a restate-server until the block ends; the arguments are those of `local`."""
    program = find("restate-server", server)
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        process = stack.enter_context(
            restate_server(
                program,
                ports,
                folder,
                os.environ if environment is None else environment,
            )
        )
        yield LocalServer(
            _url(ports.ingress), _url(ports.admin), process, folder / _LOG
        )


@contextmanager
def restate_server(
    program: Path,
    ports: Ports,
    data: Path,
    environment: Mapping[str, str],
    settings: Mapping[str, str] | None = None,
) -> Generator["subprocess.Popen[bytes]", None, None]:
    """Run a restate-server on loopback; it is ready when the block begins.

    Args:
        settings: What is to be otherwise than for `parallelizework dev`, as variables.
    """
    data.mkdir(parents=True, exist_ok=True)
    usual = {
        "RESTATE_NODE_NAME": "local",  # a data folder belongs to a name
        "RESTATE_BASE_DIR": str(data),
        "RESTATE_INGRESS__BIND_ADDRESS": f"{_HOST}:{ports.ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"{_HOST}:{ports.admin}",
        "RESTATE_BIND_ADDRESS": f"{_HOST}:{ports.node}",
        # The default of 24 spreads one machine's work so thin that it halves its rate.
        "RESTATE_DEFAULT_NUM_PARTITIONS": "1",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
    }
    log = data / _LOG
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program, "--no-logo"],
            env={**environment, **usual, **(settings or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C stops the worker first, then the server
        )
    with _stopped_at_the_end(lambda: process):
        health = [
            _url(ports.ingress) + "/restate/health",
            _url(ports.admin) + "/health",
        ]
        _await_ready(process, health, "restate-server", log)
        yield process


@contextmanager
def serve(
    fan_outs: Sequence[str],
    port: int,
    *,
    workers: int = 1,
    environment: Mapping[str, str],
    output: BinaryIO | None = None,
) -> Generator["subprocess.Popen[bytes]", None, None]:
    """Run `parallelizework serve`; it is ready when the block begins.

    Args:
        output: Where it writes its log; by default where this process does.
    """
    with _worker(
        fan_outs, port, workers=workers, environment=environment, output=output
    ) as worker:
        yield worker.process


@contextmanager
def _worker(
    fan_outs: Sequence[str],
    port: int,
    *,
    workers: int,
    environment: Mapping[str, str],
    output: BinaryIO | None = None,
) -> Generator[WorkerProcess, None, None]:
    worker = WorkerProcess(
        fan_outs,
        f"{_HOST}:{port}",
        workers=workers,
        environment=environment,
        output=output,
    )
    with _stopped_at_the_end(lambda: worker.process):
        _await_ready(worker.process, [_url(port) + "/health"], "the worker")
        yield worker


@contextmanager
def _stopped_at_the_end(
    current: Callable[[], "subprocess.Popen[bytes]"],
) -> Generator[None, None, None]:
    try:
        yield
    finally:
        process = current()
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(
    process: "subprocess.Popen[bytes]",
    health: Sequence[str],
    name: str,
    log: Path | None = None,
) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not all(map(healthy, health)):
        if process.poll() is not None:
            tail = _tail(log) if log else ""
            raise StartError(
                f"{name} ended at once with code {process.returncode}\n{tail}".strip()
            )
        if time.monotonic() > deadline:
            raise StartError(f"{name} was not ready within {_READY_SECONDS} s")
        time.sleep(0.05)


def _tail(log: Path) -> str:
    """The last lines."""
    with log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _TAIL, 0))
        return file.read().decode(errors="replace")


def _held(held: ExitStack, name: str, port: int) -> int:
    """`port`, or a free one for 0, held until all are chosen."""
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except OSError as error:
        raise PortInUse(
            f"port {port} is in use: choose another with --{name}-port, or 0 for "
            "any free one"
        ) from error
    return listener.getsockname()[1]


def _url(port: int) -> str:
    return f"http://{_HOST}:{port}"
