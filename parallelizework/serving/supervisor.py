"""`Supervisor`: several processes do the same work, and one that dies is replaced."""

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
# Seconds: a process that lives no longer has died at its start. It takes one second to
# start, and ten where the machine is overloaded.
_SHORT = 30.0
_MAX_SHORT = 5  # short lives in a row; a start that failed so often will fail again
_TICK = 1.0  # seconds between two looks at what a signal has changed
_MARGIN = 5.0  # seconds beyond the grace period, until a process is killed


class Lives:
    """The lives of the processes that were started one after the other.

    Attributes:
        short: How many of the last ones in a row were short.
    """

    def __init__(self) -> None:
        self.short = 0
        self._since = time.monotonic()

    def end(self) -> bool:
        """Count a process that has died; return whether another start makes sense."""
        now = time.monotonic()
        self.short = self.short + 1 if now - self._since < _SHORT else 0
        self._since = now
        return self.short < _MAX_SHORT


def ending(code: int) -> str:
    """How a process ended, by its exit code: `was killed by SIGKILL`."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was killed by signal {-code}"


def given_up(what: str, code: int) -> StartError:
    """The error that ends a command whose process died at each of its starts."""
    return StartError(
        f"{what} {ending(code)}, {_MAX_SHORT} times within {_SHORT:g} s of its start: "
        "the log above says why"
    )


class Supervisor:
    """Runs `work(*args)` in several processes until SIGTERM or SIGINT.

    Args:
        grace_period: How long a process may take to end after SIGTERM, in seconds;
            some seconds later it is killed.
    """

    def __init__(
        self, work: Callable[..., object], *args: Any, grace_period: float
    ) -> None:
        self._start = lambda: _CONTEXT.Process(target=_work, args=(work, *args))
        self._grace_period = grace_period
        self._lives: dict[SpawnProcess, Lives] = {}
        self._end: float | None = None  # when processes are killed that are still there
        self._error: StartError | None = None

    def run(self, processes: int, *, on_stop: Callable[[], None]) -> None:
        """Start so many processes, and replace those that die.

        Args:
            on_stop: Called at least once when no process is to be replaced any more.

        Raises:
            StartError: One died at each of its starts.
        """
        signal.signal(signal.SIGTERM, self._stop)
        try:
            for _ in range(processes):
                self._add(Lives())
            while self._lives:
                wait([process.sentinel for process in self._lives], _TICK)
                self._look()
                if self._end is not None:
                    on_stop()
        finally:
            for process in self._lives:
                process.kill()
                process.join()
        if self._error:
            raise self._error

    def _stop(self, *_: object) -> None:
        """Have all processes end."""
        if self._end is None:
            self._end = time.monotonic() + self._grace_period + _MARGIN
        for process in self._lives:
            process.terminate()

    def _add(self, lives: Lives) -> SpawnProcess:
        process = self._start()
        # Inherited: else a Ctrl-C at its start would have it print a traceback.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.start()
        signal.signal(signal.SIGINT, self._stop)
        self._lives[process] = lives
        if self._end is not None:  # a signal came meanwhile
            process.terminate()
        return process

    def _look(self) -> None:
        """Replace the processes that have ended; kill those that are late to end."""
        is_late = self._end is not None and time.monotonic() > self._end
        for process in list(self._lives):
            if is_late:
                process.kill()
            if process.exitcode is not None:
                self._replace(process)

    def _replace(self, process: SpawnProcess) -> None:
        lives, pid, code = self._lives.pop(process), process.pid, process.exitcode or 0
        process.close()
        if self._end is not None:
            return
        if not lives.end():
            self._error = given_up(f"process {pid}", code)
            self._stop()
            return
        successor = self._add(lives)
        _logger.error(
            "Process %s %s: %s replaces it",
            pid,
            ending(code),
            successor.pid,
        )


_CONTEXT = multiprocessing.get_context("spawn")


def _work(work: Callable[..., object], *args: Any) -> None:
    """What a process does: the work, as long as its parent lives."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work(*args)


def _end_with_parent() -> None:
    """End at once with the parent: another worker may need the port."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)
