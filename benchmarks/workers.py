"""The workers of the benchmarks. Each serves on a port until its block ends."""

import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import Popen

from parallelizework.local.ports import HOST, url
from parallelizework.local.process import RestartableProcess, await_ready
from parallelizework.local.worker import serve

FAN_OUTS = "benchmarks.fan_outs"

Worker = Callable[[int], AbstractContextManager["Popen[bytes]"]]  # the argument: a port


def hypercorn(
    target: str = FAN_OUTS,
    *,
    processes: int = 1,
    environment: Mapping[str, str] | None = None,
) -> Worker:
    """Return a worker of `parallelizework serve`.

    Args:
        target: What the worker serves.
        processes: The number of worker processes.
        environment: Additional environment variables.
    """
    variables = {**os.environ, **(environment or {})}
    return lambda port: serve([target], port, workers=processes, environment=variables)


def granian(processes: int) -> Worker:
    """Return a worker of granian's own command line, as docs/how-to/serve.md has it."""
    # With its smaller default windows, granian closes a connection on which many small
    # frames wait.
    command = ["granian", "--interface", "asginl", "--no-log"]
    command += ["--http2-initial-connection-window-size", str(64 * 1024 * 1024)]
    command += ["--http2-initial-stream-window-size", str(4 * 1024 * 1024)]
    command += ["--workers", str(processes), "--host", HOST]
    command += ["parallelizework.serving.asgi:app", "--port"]
    return lambda port: _running([*command, str(port)])


def granian_is_installed() -> bool:
    """Whether granian's command line is installed."""
    return _program("granian").exists()


def seed(port: int) -> AbstractContextManager["Popen[bytes]"]:
    """Serve the services of `seed.py`."""
    return _running(["python", "-m", "benchmarks.seed", str(port)])


@contextmanager
def _running(command: list[str]) -> Generator["Popen[bytes]", None, None]:
    """Run a program of this virtual environment; its last argument is the port."""

    def start() -> "Popen[bytes]":
        environment = {**os.environ, "PARALLELIZEWORK_FAN_OUTS": FAN_OUTS}
        program = [_program(command[0]), *command[1:]]
        folder = Path(__file__).parents[1]
        return Popen(program, env=environment, cwd=folder, start_new_session=True)

    process = RestartableProcess(command[0], start)
    try:
        await_ready(process, [url(int(command[-1])) + "/health"])
        yield process.process
    finally:  # without a wait for the server's connections
        os.killpg(process.process.pid, signal.SIGKILL)
        process.process.wait()


def _program(name: str) -> Path:
    return Path(sys.executable).with_name(name)
