"""Processes on this machine: wait until a process is ready, stop it at the end."""

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen, TimeoutExpired

from parallelizework.client.server_api.health import healthy
from parallelizework.errors import StartError

_READY_SECONDS = 60  # a cold start on a busy machine; usually, two are enough
_STOP_SECONDS = 20  # then it is killed
_TAIL = 2_000  # bytes of a log that an error shows


@contextmanager
def stopped_at_the_end(
    current: Callable[[], Popen[bytes]],
) -> Generator[None, None, None]:
    """Stop the current process when the block ends; kill it if it does not stop."""
    try:
        yield
    finally:
        process = current()
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except TimeoutExpired:
            process.kill()
            process.wait()


def await_ready(
    process: Popen[bytes],
    health: Sequence[str],
    name: str,
    log: Path | None = None,
) -> None:
    """Wait until all URLs of `health` answer with success.

    Args:
        name: The name of the process, for messages.
        log: The log whose end is part of the message.

    Raises:
        StartError: The process has ended, or it is not ready in time.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while not all(map(healthy, health)):
        if process.poll() is not None:
            end = tail(log) if log else ""
            raise StartError(
                f"{name} ended at its start with code {process.returncode}\n"
                f"{end}".strip()
            )
        if time.monotonic() > deadline:
            raise StartError(f"{name} was not ready within {_READY_SECONDS} s")
        time.sleep(0.05)


def tail(log: Path) -> str:
    """The end of a log, up to 2,000 bytes."""
    with log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _TAIL, 0))
        return file.read().decode(errors="replace")
