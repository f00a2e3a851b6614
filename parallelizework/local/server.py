"""`local_server`: a restate-server on this machine."""

import os
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import Popen

from parallelizework.local.binaries import find
from parallelizework.local.ports import HOST, Ports, url
from parallelizework.local.process import (
    RestartableProcess,
    await_ready,
    stopped_at_the_end,
)

_LOG = "restate-server.log"  # in the data folder


@dataclass(frozen=True)
class LocalServer:
    """A restate-server on this machine.

    Attributes:
        ingress: The URL of its ingress.
        admin: The URL of its admin API.
        process: Its process, which can be started again.
    """

    ingress: str
    admin: str
    process: RestartableProcess


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
        variables = os.environ if environment is None else environment
        process = stack.enter_context(_started(program, ports, folder, variables))
        yield LocalServer(url(ports.ingress), url(ports.admin), process)


@contextmanager
def restate_server(
    program: Path,
    ports: Ports,
    data: Path,
    environment: Mapping[str, str],
    settings: Mapping[str, str] | None = None,
) -> Generator[Popen[bytes], None, None]:
    """Run a restate-server on loopback; it is ready when the block begins.

    Args:
        settings: Environment variables that replace the usual ones of this function.
    """
    with _started(program, ports, data, environment, settings) as started:
        yield started.process


@contextmanager
def _started(
    program: Path,
    ports: Ports,
    data: Path,
    environment: Mapping[str, str],
    settings: Mapping[str, str] | None = None,
) -> Generator[RestartableProcess, None, None]:
    data.mkdir(parents=True, exist_ok=True)
    usual = {
        "RESTATE_NODE_NAME": "local",  # a data folder belongs to one node name
        "RESTATE_BASE_DIR": str(data),
        "RESTATE_INGRESS__BIND_ADDRESS": f"{HOST}:{ports.ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"{HOST}:{ports.admin}",
        "RESTATE_BIND_ADDRESS": f"{HOST}:{ports.node}",
        # The default is 24 partitions, which halve the rate on one machine.
        "RESTATE_DEFAULT_NUM_PARTITIONS": "1",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
    }
    log = data / _LOG
    variables = {**environment, **usual, **(settings or {})}
    process = RestartableProcess(
        "restate-server", partial(_process, program, variables, log), log=log
    )
    with stopped_at_the_end(process):
        health = [
            url(ports.ingress) + "/restate/health",
            url(ports.admin) + "/health",
        ]
        await_ready(process, health)
        yield process


def _process(program: Path, variables: Mapping[str, str], log: Path) -> Popen[bytes]:
    with log.open("ab") as output:
        return Popen(
            [program, "--no-logo"],
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C stops the worker first, then the server
        )
