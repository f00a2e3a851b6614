"""Processes on this machine: wait until one is ready, start it again, stop it."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen, TimeoutExpired

from parallelizework.client.server_api.health import healthy
from parallelizework.errors import StartError
from parallelizework.local.server_log import last_problems
from parallelizework.serving.supervisor import Lives, ending, given_up

_READY_SECONDS = 60  # a cold start on a busy machine; usually, two are enough
_STOP_SECONDS = 20  # then it is killed


class RestartableProcess:
    """A process that can be started again after its end.

    Args:
        name: The name of the process, for messages.
        start: Starts the process.
        log: The log of a restate-server; by default, the process logs to stderr.

    Attributes:
        name: The name of the process.
        process: The current process.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], Popen[bytes]],
        *,
        log: Path | None = None,
    ) -> None:
        self.name = name
        self._start = start
        self._log = log
        self._lives = Lives()
        self.process = start()

    def restart_if_ended(self) -> str | None:
        """Start the process again if it has ended.

        Returns:
            How the process ended; None if it still runs.

        Raises:
            StartError: The process ended soon after each of its starts.
        """
        code = self.process.poll()
        if code is None:
            return None
        if not self._lives.end():
            raise self.error(str(given_up(self.name, code)))
        self.process = self._start()
        return ending(code)

    def error(self, message: str) -> StartError:
        """An error that shows the problems in the log before the message."""
        problems = last_problems(self._log) if self._log else ""
        if not problems:
            return StartError(message)
        return StartError(
            f"the log of {self.name}:\n{problems}\n{message}. If the log does not "
            "contain the cause, check the free memory and the free disk space"
        )


@contextmanager
def stopped_at_the_end(started: RestartableProcess) -> Generator[None, None, None]:
    """Stop the current process when the block ends; kill it if it does not stop."""
    try:
        yield
    finally:
        process = started.process
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except TimeoutExpired:
            process.kill()
            process.wait()


def await_ready(started: RestartableProcess, health: Sequence[str]) -> None:
    """Wait until all URLs of `health` answer with success.

    Raises:
        StartError: The process has ended, or it is not ready in time.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while not all(map(healthy, health)):
        code = started.process.poll()
        if code is not None:
            raise started.error(f"{started.name} ended at its start with code {code}")
        if time.monotonic() > deadline:
            raise StartError(f"{started.name} was not ready within {_READY_SECONDS} s")
        time.sleep(0.05)
