"""`crowd`: many runs at once.

A simple tree of calls made no progress here: parents that waited for their children
used all concurrent invocations of the server.
"""

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.measurement import note
from benchmarks.systems import System


def crowd(system: System, runs: int, subtasks: int, at_once: int) -> float:
    """Run several runs, `at_once` of them at once; return their subtasks per second."""
    start = time.perf_counter()

    def run(_number: int) -> float:
        system.total("Plain", subtasks)
        return time.perf_counter() - start

    with ThreadPoolExecutor(at_once) as pool:
        ends = sorted(pool.map(run, range(runs)))
    rate = runs * subtasks / ends[-1]
    note(
        f"{runs} runs of {subtasks:,} subtasks, {at_once} at once: {rate:,.0f}/s, the "
        f"first ended after {ends[0]:.1f} s, the last after {ends[-1]:.1f} s"
    )
    return rate
