"""Start a restate-server and a worker, run two fan-outs, and stop both processes.

Run this file with `make demo`. The documentation shows the same requests.
"""

import json
import sys
import sysconfig
import time
from pathlib import Path

import httpx

from parallelizework.local.dev import Local, local
from parallelizework.local.ports import Ports

CHORES = {"description": "get out of bed,shower,make coffee,have breakfast"}
STDLIB = {
    "folder": sysconfig.get_path("stdlib"),
    "glob": "**/*.py",
    "exclude": ["site-packages"],
}
FAN_OUTS = [
    "FanOutWorker",
    f"{Path(__file__).with_name('wordcount.py')}:wordcount",
]


def main() -> None:
    """Start the server and the worker, run two tasks, and print the results."""
    with local(FAN_OUTS, ports=Ports(0, 0, 0)) as server:
        print(f"\nA restate-server is running at {server.ingress}.")
        print("The worker is registered.\n")
        send(server, "FanOutWorker", CHORES)
        send(server, "WordCount", STDLIB)
    print("The server and the worker have stopped.")


def send(server: Local, service: str, task: object) -> None:
    """Send one task, and print the response and its duration."""
    url = f"{server.ingress}/{service}/run"
    print(f"POST {url} {json.dumps(task)}", flush=True)
    started = time.monotonic()
    answer = httpx.post(url, json=task, timeout=60, trust_env=False)
    print(f"{answer.text}\n({time.monotonic() - started:.1f} s)\n", flush=True)
    if answer.is_error:
        sys.exit(1)


if __name__ == "__main__":
    main()
