"""`local_server`: a restate-server on this machine."""

import os
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from parallelizework.errors import StartError
from parallelizework.local.binaries import find
from parallelizework.local.ports import HOST, Ports, url
from parallelizework.local.process import await_ready, stopped_at_the_end, tail
from parallelizework.serving.supervisor import ending

_LOG = "restate-server.log"  # in the data folder


@dataclass(frozen=True)
class LocalServer:
    """A restate-server on this machine.

    Attributes:
        ingress: The URL of its ingress.
        admin: The URL of its admin API.
        process: Its process.
        log: The path of its log.
    """

    ingress: str
    admin: str
    process: Popen[bytes]
    log: Path

    def check(self) -> None:
        """Check that the server runs.

        Raises:
            StartError: The server has ended.
        """
        code = self.process.poll()
        if code is not None:
            raise StartError(f"restate-server {ending(code)}\n{tail(self.log)}".strip())


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
        yield LocalServer(url(ports.ingress), url(ports.admin), process, folder / _LOG)


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
    with log.open("ab") as output:
        process = Popen(
            [program, "--no-logo"],
            env={**environment, **usual, **(settings or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C stops the worker first, then the server
        )
    with stopped_at_the_end(lambda: process):
        health = [
            url(ports.ingress) + "/restate/health",
            url(ports.admin) + "/health",
        ]
        await_ready(process, health, "restate-server", log)
        yield process
