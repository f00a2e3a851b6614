"""Many runs at once on a server with one partition and few concurrent invocations.

    python -m benchmarks.crowd [RUNS SUBTASKS LIMIT]

Prints when the first and the last run ended. A simple tree of calls made no progress
here: parents that waited for their children used all concurrent invocations.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports

PLAIN = f"{Path(__file__).with_name('fan_outs.py')}:plain"


def main(runs: int = 200, subtasks: int = 1_000, limit: int = 100) -> None:
    """Start all runs at once, and wait for their sums."""
    environment = {"RESTATE_WORKER__INVOKER__CONCURRENT_INVOCATIONS_LIMIT": str(limit)}
    with (
        local([PLAIN], ports=Ports(0, 0, 0), environment=environment) as started,
        ThreadPoolExecutor(runs) as pool,
    ):
        url = f"{started.ingress}/Plain/run"
        start = time.perf_counter()

        def run(_number: int) -> float:
            answer = httpx.post(url, json=subtasks, timeout=1_800).raise_for_status()
            assert answer.json() == subtasks * (subtasks - 1) // 2
            return time.perf_counter() - start

        ends = sorted(pool.map(run, range(runs)))
    print(
        f"{runs} runs of {subtasks} subtasks with {limit} concurrent invocations: "
        f"the first ended after {ends[0]:.0f} s, the last after {ends[-1]:.0f} s, "
        f"{runs * subtasks / ends[-1]:.0f} subtasks/s"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
