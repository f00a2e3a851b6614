"""`crowd`: many runs at once.

A simple tree of calls made no progress here: parents that waited for their children
used all concurrent invocations of the server.
"""

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.measurement import note
from benchmarks.systems import System


def crowd(system: System, runs: int, subtasks: int) -> float:
    """Start all runs at once, and return the subtasks per second of all of them."""
    start = time.perf_counter()

    def run(_number: int) -> float:
        system.total("Plain", subtasks)
        return time.perf_counter() - start

    with ThreadPoolExecutor(runs) as pool:
        ends = sorted(pool.map(run, range(runs)))
    rate = runs * subtasks / ends[-1]
    note(
        f"{runs} runs of {subtasks:,} subtasks: the first ended after {ends[0]:.1f} s, "
        f"the last after {ends[-1]:.1f} s, {rate:,.0f}/s"
    )
    return rate
