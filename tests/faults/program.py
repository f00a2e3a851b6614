"""`Program`: a process that can be killed and restarted at the same address."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from tests.integration.processes import memory

Start = Callable[[], AbstractContextManager["subprocess.Popen[bytes]"]]


class Program:
    """A server or a worker.

    Args:
        start: Starts the process. It is ready when the block begins, and stopped when
            the block ends.
    """

    def __init__(self, start: Start) -> None:
        self._start = start
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the process, or of the last process after a stop."""
        assert self._process, "the program was never started"
        return self._process.pid

    @property
    def is_up(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def resident_mib(self) -> int:
        """The current memory of the process."""
        return int(memory(self.pid))

    def start(self) -> None:
        """Start the process, and wait until it is ready."""
        self._process = self._stack.enter_context(self._start())

    def stop(self) -> None:
        """Ask the process to end, and wait until it has ended."""
        self._stack.close()

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)
        self._stack.close()

    def freeze(self) -> None:
        """Stop the process with SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue the process with SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)
