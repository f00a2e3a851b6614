"""Measure how many slots of a run are used.

    python -m benchmarks.occupancy

`max_concurrency` is 50. A slot is free from the end of a subtask until the start of
the next subtask.
"""

from pathlib import Path

import httpx

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports

SLOTS = 50
RUNS = {"Short": 2_000, "Long": 500}  # subtasks of 50 and of 500 ms


def main() -> None:
    """Run, and print the share of time in which a slot is used."""
    fan_outs = Path(__file__).with_name("fan_outs.py")
    targets = [f"{fan_outs}:{name.lower()}" for name in RUNS]
    with local(targets, ports=Ports(0, 0, 0)) as started:
        for name, count in [("Short", 200), *RUNS.items()]:
            url = f"{started.ingress}/{name}/run"
            answer = httpx.post(url, json=count, timeout=600).raise_for_status()
            share = answer.json() / SLOTS
            print(f"{name}, {count:,} subtasks: {share:.0%}", flush=True)


if __name__ == "__main__":
    main()
