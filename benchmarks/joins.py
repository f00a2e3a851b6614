"""`python -m benchmarks.joins`: does an event of a join cost more after many events?

The first events of a key are compared to events of a key that has 9,000 events already.
With one client, no event waits in the queue of the key. With several clients, events
wait there, and restate-server (1.7) needs more CPU time after many events. A virtual
object that stores nothing needs more too.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
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
_CLIENTS = (1, 16)  # that send events at once
_SIZE = 500  # characters of an event
_SETTLE = 0.5  # seconds until the worker and the server are idle


def id_of(event: str) -> str:
    """Return the id of an event."""
    return event[:40].strip()


# The run never starts: no key has so many events.
events = Join("Events", event=str, into="Nowhere", until=10_000, id_of=id_of)

_numbers = count()


def add(started: System, key: str, how_many: int, clients: int) -> None:
    """Add events to a key, by several clients at once."""
    url = f"{started.ingress}/restate/call/Events/{key}/add"

    def one(number: int) -> None:
        event = f"{number:<40}".ljust(_SIZE, "x")
        body, headers = json.dumps(event), {"content-type": "application/json"}
        answer = started.client.post(url, content=body, headers=headers)
        answer.raise_for_status()

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, (next(_numbers) for _ in range(how_many))))


def added_ms(started: System, key: str, clients: int) -> float:
    """Add events, and return the CPU time of worker and server for each, in ms."""
    processes = started.processes("Events")
    before = sum(processes.cpu())
    add(started, key, _EVENTS, clients)
    time.sleep(_SETTLE)
    ms = (sum(processes.cpu()) - before) / _EVENTS * 1_000
    note(f"{key}: {ms:.2f} ms of CPU for each event")
    return ms


def flat(started: System, clients: int) -> Comparison:
    """Compare the CPU time of an event to the one of the first events of a key."""
    full_key = f"full-{clients}"
    add(started, full_key, _BEFORE, clients)
    full, new = alternating(
        [
            lambda: added_ms(started, full_key, clients),
            lambda: added_ms(started, f"new-{uuid4().hex}", clients),
        ],
        _ROUNDS,
    )
    return Comparison(
        f"CPU per event of a join, after {_BEFORE:,} events / the first events, "
        f"clients of the key: {clients}",
        "ms",
        full,
        new,
        to_reach="at most 1.1" if clients == 1 else "",
    )


def main() -> None:
    """Measure, and print one table."""
    end_on_sigterm()
    with system(hypercorn("benchmarks.joins")) as started:
        add(started, "warm-up", _EVENTS, max(_CLIENTS))
        rows = [flat(started, clients) for clients in _CLIENTS]
    print(comparison_table(rows))


if __name__ == "__main__":
    main()
