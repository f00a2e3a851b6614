"""`python -m benchmarks.joins`: does an event of a join cost more after many events?

The first events of a key are compared to events of a key that has 9,000 events already.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from uuid import uuid4

from benchmarks.alternation import Comparison, alternating
from benchmarks.measurement import note
from benchmarks.systems import System, end_on_sigterm, system
from benchmarks.tables import comparison_table
from benchmarks.workers import hypercorn
from parallelizework.events import Join

_BEFORE = 9_000  # events of the second key
_EVENTS = 300  # that are measured in each round
_ROUNDS = 3
_CLIENTS = 16
_SIZE = 500  # characters of an event
_SETTLE = 0.5  # seconds until the worker and the server are idle


def id_of(event: str) -> str:
    """Return the id of an event."""
    return event[:40].strip()


# The run never starts: no key has so many events.
events = Join("Events", event=str, into="Nowhere", until=10_000, id_of=id_of)

_numbers = count()


def add(started: System, key: str, how_many: int) -> None:
    """Add events to a key."""
    url = f"{started.ingress}/restate/call/Events/{key}/add"

    def one(number: int) -> None:
        event = f"{number:<40}".ljust(_SIZE, "x")
        body, headers = json.dumps(event), {"content-type": "application/json"}
        answer = started.client.post(url, content=body, headers=headers)
        answer.raise_for_status()

    with ThreadPoolExecutor(_CLIENTS) as pool:
        list(pool.map(one, (next(_numbers) for _ in range(how_many))))


def added_ms(started: System, key: str) -> float:
    """Add events, and return the CPU time of worker and server for each, in ms."""
    processes = started.processes("Events")
    before = sum(processes.cpu())
    add(started, key, _EVENTS)
    time.sleep(_SETTLE)
    ms = (sum(processes.cpu()) - before) / _EVENTS * 1_000
    note(f"{key}: {ms:.2f} ms of CPU for each event")
    return ms


def flat(started: System) -> Comparison:
    """Compare the CPU time of an event to the one of the first events of a key."""
    add(started, "full", _BEFORE)
    full, new = alternating(
        [
            partial(added_ms, started, "full"),
            lambda: added_ms(started, f"new-{uuid4().hex}"),
        ],
        _ROUNDS,
    )
    return Comparison(
        f"CPU per event of a join, after {_BEFORE:,} events / the first events",
        "ms",
        full,
        new,
        to_reach="at most 1.1",
    )


def main() -> None:
    """Measure, and print one table."""
    end_on_sigterm()
    with system(hypercorn("benchmarks.joins")) as started:
        add(started, "warm-up", _EVENTS)
        print(comparison_table([flat(started)]))


if __name__ == "__main__":
    main()
