"""More clients than a worker can serve at once: clients wait, and no run is lost."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from time import monotonic

import httpx
import pytest

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports
from tests.integration.processes import LONG, eventually

from .conftest import Victim

SECONDS = float(os.environ.get("OVERLOAD_SECONDS", "8"))
CLIENTS = int(os.environ.get("OVERLOAD_CLIENTS", "300"))
RETRY = (429, 503)
MEMORY = 100  # MiB by which the memory may grow


@pytest.fixture
def crowded() -> Iterator[Victim]:
    environment = {
        "PARALLELIZEWORK_MAX_PAUSE": "0.05",
        "RESTATE_DEFAULT_NUM_PARTITIONS": "4",  # each may run 1,000 calls at once
    }
    with local([], ports=Ports(0, 0, 0), environment=environment) as started:
        pid = started.processes[1].pid
        yield Victim(started.ingress, started.admin, started.worker, pid)


class Crowd:
    """Clients that submit one run after another, and retry if the server is busy.

    Attributes:
        answered: The number of correct results.
        errors: The number of other responses, by kind.
    """

    def __init__(self, victim: Victim, http: httpx.AsyncClient) -> None:
        self._url = f"{victim.ingress}/FanOutWorker/run"
        self._http = http
        self.answered = 0
        self.errors: Counter[str] = Counter()

    async def client(self, name: int, end: float) -> None:
        number = 0
        while monotonic() < end or not number:
            number += 1
            await self._run(f"{name}-{number}")

    async def _run(self, key: str) -> None:
        """Run one task. With the key, each retry returns the same run."""
        chores = [f"{key}-{letter}" for letter in "abcd"]
        body = {"description": ",".join(chores)}
        while (answer := await self._request(key, body)) is None:  # noqa: ASYNC110 - a retry
            await asyncio.sleep(0.2)
        expected = {"description": ",".join(f"{chore}: DONE" for chore in chores)}
        assert answer == expected
        self.answered += 1

    async def _request(self, key: str, body: object) -> object:
        try:
            answer = await self._http.post(
                self._url, json=body, headers={"idempotency-key": key}
            )
        except httpx.ConnectError as error:
            self.errors[type(error).__name__] += 1
            return None
        if answer.status_code in RETRY:
            self.errors[str(answer.status_code)] += 1
            return None
        assert answer.status_code == 200, answer.text
        return answer.json()


async def crowd(victim: Victim) -> Crowd:
    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx.AsyncClient(limits=limits, timeout=LONG, verify=False) as http:
        made, end = Crowd(victim, http), monotonic() + SECONDS
        await asyncio.gather(*(made.client(name, end) for name in range(CLIENTS)))
    return made


@pytest.mark.timeout(SECONDS + 3 * LONG)
def test_many_clients_at_once_lose_no_run(crowded: Victim) -> None:
    crowded.assert_unharmed()
    before = crowded.memory()
    crowded.forget_peak()

    made = asyncio.run(crowd(crowded))

    assert made.answered >= CLIENTS
    peak = crowded.memory("VmHWM")
    crowded.assert_unharmed()
    eventually(lambda: crowded.memory() < before + MEMORY)
    summary = {
        "clients": CLIENTS,
        "seconds": SECONDS,
        "runs": made.answered,
        "errors": dict(made.errors),
        "worker MiB before, at most, after": [
            round(size) for size in (before, peak, crowded.memory())
        ],
    }
    print(json.dumps(summary))
