"""`late_ms`: the CPU time of the worker for a subtask that ends late.

All other subtasks of the coordinator have ended then. The coordinator is suspended
between two late subtasks, so each of them costs a replay.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.fan_outs import LATE
from benchmarks.measurement import note
from benchmarks.systems import System

_SERVICE = "Late"
_INTERVAL = 0.05  # seconds between two samples of the CPU time
_BEFORE = 0.5  # seconds; the samples between two late subtasks are equal
_SETTLE = 0.5  # seconds until the worker is idle after the end of the run

Sample = tuple[int, float]  # the time in nanoseconds, the CPU seconds until then


def late_ms(system: System, count: int) -> float:
    """Run `count` subtasks, and return the milliseconds for each late one."""
    processes = system.processes(_SERVICE)
    samples: list[Sample] = []

    def sample() -> None:
        samples.append((time.time_ns(), processes.cpu()[0]))

    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(system.run, _SERVICE, count)
        while not run.done():
            sample()
            time.sleep(_INTERVAL)
    time.sleep(_SETTLE)
    sample()
    ends = run.result()
    result = used_since(samples, ends[0] - int(_BEFORE * 1e9)) / len(LATE) * 1_000
    note(f"{count:,} subtasks, {len(LATE)} of them late: {result:.0f} ms for each")
    return result


def used_since(samples: Sequence[Sample], moment: int) -> float:
    """Return the CPU seconds since the last sample before a moment."""
    before = [cpu for when, cpu in samples if when <= moment]
    return samples[-1][1] - before[-1]
