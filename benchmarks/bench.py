"""`make bench`: measure on this machine; write tables, JSON and a plot.

Compare only numbers of the same run. Absolute rates differ between machines. On a
shared machine, they also differ from minute to minute.
"""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from benchmarks import small_requests
from benchmarks.alternation import alternating
from benchmarks.bulk import requests_in_bulk
from benchmarks.comparisons import Sizes, comparisons
from benchmarks.configurations import measured_configurations
from benchmarks.first_and_last import FirstAndLast, first_and_last
from benchmarks.first_and_last import median as median_of_times
from benchmarks.measurement import Measured, measured, median, note
from benchmarks.peers import PEERS, Peer
from benchmarks.small_requests import Requests, requests
from benchmarks.systems import System, checked, end_on_sigterm, system
from benchmarks.tables import (
    comparison_table,
    first_and_last_table,
    plot,
    request_table,
    run_table,
)
from benchmarks.workers import hypercorn, seed

RESULTS = Path(__file__).with_name("results.json")
PLOT = Path(__file__).parents[1] / "docs" / "explain" / "benchmarks.png"
RUNS = {  # the numbers of subtasks for each service
    "Plain": [100, 1_000, 5_000, 10_000, 100_000],
    "Auto": [1_000, 10_000, 100_000],
    "Batched": [100, 1_000, 10_000, 100_000],
    "Sharded": [100, 1_000, 10_000],
    "ShardedBatched": [100_000, 1_000_000],
    "Tree": [100, 1_000, 5_000, 10_000],
    "SeedRpc": [100, 1_000, 5_000],
    "SeedRuns": [100, 1_000],
    "Sleeping": [1_000, 10_000],
}
FIRST_AND_LAST = [64, 256, 1_000, 10_000]
CONFIGURED = 5_000
PEER_RUNS = [100, 1_000]
SIZES = Sizes(
    rounds=3,
    slow_rounds=1,
    plain=5_000,
    auto=100_000,
    alone=100,
    at_once=400,
    waiting=10_000,
    runs=200,
    subtasks=1_000,
    limit=100,
)
REQUESTS = {1: 100, 16: 400}  # the numbers of requests for each number of clients
ROUNDS = 2
LONG = 15  # seconds; a form that takes longer is measured once


def main() -> None:
    """Measure; print tables; write `results.json` and the plot of the docs."""
    end_on_sigterm()
    with system(hypercorn(), seed) as started:
        for name in ("Plain", "SeedRpc"):
            started.total(name, 500)  # warm up
        latencies = small(started, REQUESTS)
        times = [timed(started, count) for count in FIRST_AND_LAST]
        rows = on_restate(started, RUNS)
    rows += [row for peer in PEERS for row in on_peer(peer, PEER_RUNS)]
    rows.sort(key=lambda row: row.name)
    plot(rows, PLOT)
    configured, compared = measured_configurations(CONFIGURED, ROUNDS)
    rows += configured + requests_in_bulk()
    compared = [*comparisons(SIZES), *compared]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version[:6]}"
    tables = [
        run_table(rows),
        request_table(latencies),
        first_and_last_table(times),
        comparison_table(compared),
    ]
    print(machine, *tables, sep="\n\n")
    results = {
        "machine": machine,
        "rows": [asdict(row) | {"rate": row.rate} for row in rows],
        "latencies": list(map(asdict, latencies)),
        "first_and_last": list(map(asdict, times)),
        "comparisons": [asdict(each) | {"ratio": each.ratio} for each in compared],
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def on_restate(started: System, runs: Mapping[str, Sequence[int]]) -> list[Measured]:
    """Measure no-op subtasks. Services alternate in runs of the same size."""
    rows: list[Measured] = []
    for count in sorted({count for counts in runs.values() for count in counts}):
        forms = [
            partial(started.measured, name, count)
            for name, counts in runs.items()
            if count in counts
        ]
        rows += map(median, alternating(forms, ROUNDS, longest=LONG))
    return rows


def small(started: System, counts: Mapping[int, int]) -> list[Requests]:
    """Measure small requests; the argument is the requests by number of clients."""
    return [
        small_requests.median(rows)
        for clients, count in counts.items()
        for rows in alternating(
            [
                partial(requests, started, name, clients, count)
                for name in ("Plain", "SeedRpc")
            ],
            ROUNDS,
        )
    ]


def timed(started: System, count: int) -> FirstAndLast:
    """Measure the times to the first and to the last subtask."""
    form = partial(first_and_last, started, count)
    return median_of_times([form() for _ in range(ROUNDS)])


def on_peer(peer: Peer, counts: Sequence[int]) -> list[Measured]:
    """Measure the same work on another system, if it is installed."""
    missing = peer.missing()
    if missing:
        note(f"{peer.name} is skipped: {missing}")
        return []
    rows: list[Measured] = []
    with peer.started() as (run, processes):
        checked(run, 100)  # warm up
        for count in counts:
            form = partial(measured, peer.name, count, partial(checked, run), processes)
            [runs] = alternating([form], ROUNDS, longest=LONG)
            # Linux counts shared memory once for each process of PostgreSQL.
            rows.append(replace(median(runs), worker_mib=None, server_mib=None))
    return rows


if __name__ == "__main__":
    main()
