"""A local restate-server and a worker: start, register, stop."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from parallelizework.client import Client, healthy
from parallelizework.errors import PortInUse, StartError
from parallelizework.programs import find

_READY_SECONDS = 60  # a cold start on a busy machine; it is usually ready in two
_STOP_SECONDS = 20  # then it is killed
_HOST = "127.0.0.1"


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
class Local:
    """A local restate-server with a worker registered at it.

    Attributes:
        ingress, admin, worker: URLs.
        services: The names of what the worker serves.
        processes: The server's process and the worker's.
    """

    ingress: str
    admin: str
    worker: str
    services: Sequence[str]
    processes: Sequence["subprocess.Popen[bytes]"]


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
        fan_outs: `MODULE:OBJECT`s to serve; none for the ready-made fan-outs.
        ports: Where to listen; see `Ports` for the defaults.
        data: The server's data folder; without one, what it stores goes at the end.
        server: The restate-server program; without one, it is found or installed.
        workers: How many processes the worker has.
        environment: More variables for server and worker.

    Raises:
        ServerNotFound, PortInUse, StartError, RegistrationError, Unreachable: It did
            not come up.
    """
    program = find("restate-server", server)
    ports = (ports or Ports()).chosen()
    environment = {**os.environ, **(environment or {})}
    admin, worker = _url(ports.admin), _url(ports.worker)
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        processes = [
            stack.enter_context(restate_server(program, ports, folder, environment)),
            stack.enter_context(
                serve(fan_outs, ports.worker, workers=workers, environment=environment)
            ),
        ]
        # A kept data folder may know other handlers under this address.
        with Client(admin=admin) as client:
            services = client.register(worker, force=data is not None)
        yield Local(_url(ports.ingress), admin, worker, services, processes)


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
    log = data / "restate-server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program, "--no-logo"],
            env={**environment, **usual, **(settings or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C stops the worker first, then the server
        )
    with _stopped_at_the_end(process):
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
    command = [sys.executable, "-m", "parallelizework", "serve", *fan_outs]
    options = ["--bind", f"{_HOST}:{port}", "--workers", str(workers)]
    process = subprocess.Popen(
        command + options,
        env=dict(environment),
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    with _stopped_at_the_end(process):
        _await_ready(process, [_url(port) + "/health"], "the worker")
        yield process


@contextmanager
def _stopped_at_the_end(
    process: "subprocess.Popen[bytes]",
) -> Generator[None, None, None]:
    try:
        yield
    finally:
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
            tail = log.read_text(errors="replace")[-2_000:] if log else ""
            raise StartError(
                f"{name} ended at once with code {process.returncode}\n{tail}".strip()
            )
        if time.monotonic() > deadline:
            raise StartError(f"{name} was not ready within {_READY_SECONDS} s")
        time.sleep(0.05)


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
