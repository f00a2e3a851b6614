"""Commands as processes: start one, wait for a line of its output, stop it."""

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
LONG = 200  # seconds; a bound for what hangs: no test depends on it


class Running:
    """A process whose output, both streams in one, can be read at any time."""

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
        """The first line with `text` in it, as soon as there is one."""
        eventually(lambda: text in self.output or self.has_ended)
        return next(line for line in self.output.splitlines() if text in line)

    def ended(self) -> int:
        """The exit code, as soon as the process has ended."""
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
    """The output of a command, which must end with this exit code."""
    with running(*arguments, environment=where) as process:
        assert process.ended() == code, process.output
        return process.output


def memory(pid: int, what: str = "VmRSS") -> float:
    """MiB of a process: now, or (`VmHWM`) at most so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


def patiently(attempt: Callable[[float], T], is_right: Callable[[T], bool]) -> T:
    """The result of an attempt with some time, or with more if that was too short."""
    result = attempt(1)
    for times in (4, 16, 64):
        if is_right(result):
            break
        result = attempt(times)
    return result


def eventually(condition: Callable[[], bool], seconds: float = LONG) -> None:
    """Wait until a condition holds; fail when it does not within the time."""
    deadline, pause = monotonic() + seconds, 0.01
    while not condition():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(pause)
        pause = min(pause * 1.3, 0.1)  # to ask often slows down what is asked
