"""Run commands as processes, and wait for their output."""

import os
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import TypeVar

COMMAND = [sys.executable, "-m", "parallelizework"]
T = TypeVar("T")
LONG = 200  # seconds; only a test that hangs waits for so long


class Running:
    """A process with its output: stdout and stderr together, readable at any time."""

    def __init__(
        self, arguments: Sequence[str], process: "subprocess.Popen[bytes]", output: Path
    ) -> None:
        self.arguments = arguments
        self.process = process
        self._output = output

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def wait_for(self, text: str) -> str:
        """Wait for the first line that contains `text`, and return the line."""
        eventually(lambda: text in self.output or self.has_ended)
        return next(line for line in self.output.splitlines() if text in line)

    def ended(self) -> int:
        """Wait until the process has ended, and return its exit code."""
        return self.process.wait(LONG)


@contextmanager
def running(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> Generator[Running, None, None]:
    """Run `parallelizework` with these arguments until the block ends."""
    with TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )
        try:
            yield Running(arguments, process, output)
        finally:
            process.terminate()
            process.wait(LONG)


def output_of(*arguments: str, where: Mapping[str, str], code: int = 0) -> str:
    """Run a command, check its exit code, and return its output."""
    with running(*arguments, environment=where) as process:
        assert process.ended() == code, process.output
        return process.output


def memory(pid: int, field: str = "VmRSS") -> float:
    """Return the memory of a process in MiB: now, or the maximum (`VmHWM`)."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def patiently(attempt: Callable[[float], T], is_right: Callable[[T], bool]) -> T:
    """Repeat an attempt with more time if its result is not right; return the result.

    `attempt` accepts a factor for its times. A busy machine needs a larger factor.
    """
    result = attempt(1)
    for factor in (4, 16, 64):
        if is_right(result):
            break
        result = attempt(factor)
    return result


def eventually(condition: Callable[[], bool], seconds: float = LONG) -> None:
    """Wait until a condition is true; fail after `seconds`."""
    deadline, pause = monotonic() + seconds, 0.01
    while not condition():
        assert monotonic() < deadline, "the condition did not become true in time"
        sleep(pause)
        pause = min(pause * 1.3, 0.1)  # frequent checks slow down the observed process
