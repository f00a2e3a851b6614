"""`Measured`: the time, the CPU time and the memory of one run."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SETTLE = 0.2  # seconds until updates that the run does not wait for have ended

Run = Callable[[int], object]  # runs a number of subtasks


@dataclass(frozen=True)
class Processes:
    """The process ids of a worker and of its server.

    The CPU time and the memory of a process include those of its child processes. A
    server that is a child process of the worker counts only as a server.
    """

    worker: int
    server: int

    def cpu(self) -> tuple[float, float]:
        """Return the CPU seconds of the worker and of the server until now."""
        worker, server = self._families()
        return sum(map(_cpu_seconds, worker)), sum(map(_cpu_seconds, server))

    def reset_peaks(self) -> None:
        """Start a new measurement of the peak memory."""
        worker, server = self._families()
        for process in worker | server:
            with suppress(OSError):  # the process has ended
                Path(f"/proc/{process}/clear_refs").write_text("5")

    def peaks(self) -> tuple[int, int]:
        """Return the peak memory of the worker and of the server in MiB."""
        worker, server = self._families()
        return sum(map(_peak_mib, worker)), sum(map(_peak_mib, server))

    def _families(self) -> tuple[set[int], set[int]]:
        parents = _parents()
        server = family(parents, self.server)
        return family(parents, self.worker) - server, server


@dataclass(frozen=True)
class Measured:
    """One run of `count` subtasks, or the medians of several runs.

    Attributes:
        name: The name of the form.
        count: The number of subtasks.
        seconds: The duration of the run.
        worker_ms, server_ms: The CPU time for each subtask, in milliseconds.
        worker_mib, server_mib: The peak memory.
        shortest, longest: The durations of the fastest and of the slowest run.
        rounds: The number of runs.
    """

    name: str
    count: int
    seconds: float
    worker_ms: float
    server_ms: float | None = None
    worker_mib: int | None = None
    server_mib: int | None = None
    shortest: float | None = None
    longest: float | None = None
    rounds: int = 1

    @property
    def rate(self) -> float:
        """Subtasks per second."""
        return self.count / self.seconds

    @property
    def cpu_ms(self) -> float:
        """The CPU time of worker and server for each subtask, in milliseconds."""
        return self.worker_ms + (self.server_ms or 0)


def measured(name: str, count: int, run: Run, processes: Processes) -> Measured:
    """Run once, and measure."""
    processes.reset_peaks()
    worker, server = processes.cpu()
    start = time.perf_counter()
    run(count)
    seconds = time.perf_counter() - start
    time.sleep(_SETTLE)
    worker_end, server_end = processes.cpu()
    row = Measured(
        name,
        count,
        seconds,
        (worker_end - worker) / count * 1_000,
        (server_end - server) / count * 1_000,
        *processes.peaks(),
    )
    note(f"{name}, {count:,}: {row.rate:,.0f}/s, {row.cpu_ms:.2f} ms of CPU")
    return row


def measured_script(name: str, count: int, run: Run) -> Measured:
    """Run new processes until they end, and measure them."""
    cpu = _cpu_seconds_of_children()
    start = time.perf_counter()
    run(count)
    seconds = time.perf_counter() - start
    worker_ms = (_cpu_seconds_of_children() - cpu) / count * 1_000
    note(f"{name}, {count:,}: {count / seconds:,.0f}/s, {worker_ms:.2f} ms of CPU")
    return Measured(name, count, seconds, worker_ms)


def median(rows: Sequence[Measured]) -> Measured:
    """Return the medians of several runs of one form; of the memory, the maximum."""
    seconds = [row.seconds for row in rows]
    server_ms = [row.server_ms for row in rows if row.server_ms is not None]
    return Measured(
        rows[0].name,
        rows[0].count,
        statistics.median(seconds),
        statistics.median(row.worker_ms for row in rows),
        statistics.median(server_ms) if server_ms else None,
        max(row.worker_mib or 0 for row in rows) or None,
        max(row.server_mib or 0 for row in rows) or None,
        min(seconds),
        max(seconds),
        len(rows),
    )


def note(line: str) -> None:
    """Print a line about the progress to stderr."""
    print(line, file=sys.stderr, flush=True)


def family(parents: Mapping[int, int], process: int) -> set[int]:
    """Return a process and all its descendants.

    Args:
        parents: The parent of each process.
        process: A process id.
    """
    found: set[int] = set()
    new = {process}
    while new:
        found |= new
        new = {child for child, parent in parents.items() if parent in new}
    return found


def _parents() -> dict[int, int]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # the process has ended
            parents[int(stat.parent.name)] = int(_fields(stat)[1])
    return parents


def _fields(stat: Path) -> list[str]:
    return stat.read_text().rpartition(")")[2].split()


def _cpu_seconds(process: int) -> float:
    with suppress(OSError):  # the process has ended
        fields = _fields(Path(f"/proc/{process}/stat"))
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _cpu_seconds_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _peak_mib(process: int) -> int:
    with suppress(OSError):  # the process has ended
        status = Path(f"/proc/{process}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024
    return 0
