"""`Supervisor`: runs several processes with the same work, and replaces dead ones."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any

from parallelizework.errors import StartError

_logger = logging.getLogger(__name__)
# Seconds. A process that lived for a shorter time has failed to start. A start takes
# one second, and ten on an overloaded machine.
_SHORT_LIFE = 30.0
_MAX_SHORT_LIVES = 5  # in a row; after that, further starts would fail too
_TICK = 1.0  # seconds until the main loop notices a signal
_MARGIN = 5.0  # seconds after the grace period until a process is killed


class Lives:
    """Counts the short lives of a process that is started again and again.

    Attributes:
        short: The number of short lives in a row, up to now.
    """

    def __init__(self) -> None:
        self.short = 0
        self._since = time.monotonic()

    def end(self) -> bool:
        """Count a life that has ended; return whether to start the process again."""
        now = time.monotonic()
        self.short = self.short + 1 if now - self._since < _SHORT_LIFE else 0
        self._since = now
        return self.short < _MAX_SHORT_LIVES


def ending(code: int) -> str:
    """How a process ended, by its exit code: `was killed by SIGKILL`."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was killed by signal {-code}"


def given_up(what: str, code: int) -> StartError:
    """The error of a command whose process ended soon after each of its starts."""
    return StartError(
        f"{what} {ending(code)}, {_MAX_SHORT_LIVES} times within {_SHORT_LIFE:g} s of "
        "its start. The log above contains the cause"
    )


class Supervisor:
    """Runs `work(*args)` in several processes until SIGTERM or SIGINT.

    Args:
        grace_period: How long a process may take to end after SIGTERM, in seconds. Five
            seconds later, the process is killed.
    """

    def __init__(
        self, work: Callable[..., object], *args: Any, grace_period: float
    ) -> None:
        self._work = (work, *args)
        self._on_death: Callable[[str], None] = _ignore
        self._grace_period = grace_period
        self._lives: dict[SpawnProcess, Lives] = {}
        self._end: float | None = None  # when the remaining processes are killed
        self._error: StartError | None = None

    def run(
        self,
        processes: int,
        *,
        on_stop: Callable[[], None],
        on_death: Callable[[str], None] | None = None,
    ) -> None:
        """Start the processes, and replace each one that dies.

        The names of the processes are `worker-0`, `worker-1` and so on. A process has
        the name of the process that it replaces.

        Args:
            processes: The number of processes.
            on_stop: Called, once or more often, when processes are no longer replaced.
            on_death: Called with the name of each process that has ended.

        Raises:
            StartError: A process died soon after each of its starts.
        """
        signal.signal(signal.SIGTERM, self._stop)
        self._on_death = on_death or _ignore
        try:
            for number in range(processes):
                self._add(f"worker-{number}", Lives())
            while self._lives:
                wait([process.sentinel for process in self._lives], _TICK)
                self._check()
                if self._end is not None:
                    on_stop()
        finally:
            for process in self._lives:
                process.kill()
                process.join()
        if self._error:
            raise self._error

    def _stop(self, *_: object) -> None:
        """Ask all processes to end."""
        if self._end is None:
            self._end = time.monotonic() + self._grace_period + _MARGIN
        for process in self._lives:
            process.terminate()

    def _add(self, name: str, lives: Lives) -> SpawnProcess:
        process = _CONTEXT.Process(target=_work, args=self._work, name=name)
        # The process inherits this. Otherwise, Ctrl-C during its start would print a
        # traceback.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.start()
        signal.signal(signal.SIGINT, self._stop)
        self._lives[process] = lives
        if self._end is not None:  # a signal arrived meanwhile
            process.terminate()
        return process

    def _check(self) -> None:
        """Replace the processes that have ended; kill those that end too late."""
        is_late = self._end is not None and time.monotonic() > self._end
        for process in list(self._lives):
            if is_late:
                process.kill()
            if process.exitcode is not None:
                self._replace(process)

    def _replace(self, process: SpawnProcess) -> None:
        lives, pid, code = self._lives.pop(process), process.pid, process.exitcode or 0
        process.close()
        self._on_death(process.name)
        if self._end is not None:
            return
        if not lives.end():
            self._error = given_up(f"process {pid}", code)
            self._stop()
            return
        successor = self._add(process.name, lives)
        _logger.error(
            "Process %s %s: %s replaces it",
            pid,
            ending(code),
            successor.pid,
        )


_CONTEXT = multiprocessing.get_context("spawn")


def _ignore(_name: str) -> None:
    pass


def _work(work: Callable[..., object], *args: Any) -> None:
    """Do the work in a new process, as long as the parent process lives."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work(*args)


def _end_with_parent() -> None:
    """End at once with the parent process: another worker may need the port."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)
