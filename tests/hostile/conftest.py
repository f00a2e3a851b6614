"""A server and a worker that no test may damage."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from parallelizework.client import healthy
from parallelizework.local.dev import Local, local
from parallelizework.local.ports import Ports
from tests.integration.processes import LONG, eventually, memory

PARCELS = f"{Path(__file__).with_name('parcels.py')}:parcels"
CHORES = {"description": "shower,make coffee"}
DONE = {"description": "shower: DONE,make coffee: DONE"}


@dataclass(frozen=True)
class Victim:
    """A server and a worker that tests may attack."""

    ingress: str
    admin: str
    worker: str
    pid: int

    @property
    def port(self) -> int:
        """The port of the worker."""
        return int(self.worker.rpartition(":")[2])

    def memory(self, field: str = "VmRSS") -> float:
        """Memory of the worker in MiB: now, or the peak since a reset (`VmHWM`)."""
        return memory(self.pid, field)

    def forget_peak(self) -> None:
        """Reset the peak, `VmHWM`."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def run(self, service: str, body: bytes) -> httpx.Response:
        """Send a body without changes; fail without a response."""
        url = f"{self.ingress}/{service}/run"
        kind = {"content-type": "application/json"}
        return httpx.post(url, content=body, headers=kind, timeout=LONG)

    def left(self) -> list[dict[str, str]]:
        """Return the invocations that have not ended, except scheduled invocations."""
        answer = httpx.post(
            f"{self.admin}/query",
            json={
                "query": "select id, target, status, last_failure from sys_invocation "
                "where status not in ('completed', 'scheduled')"
            },
            headers={"accept": "application/json"},
            timeout=LONG,
        )
        return answer.raise_for_status().json()["rows"]

    def assert_unharmed(self) -> None:
        """Check that the process is the same, all runs end, and a new run succeeds."""
        eventually(lambda: healthy(f"{self.worker}/health"))
        answer = httpx.post(
            f"{self.ingress}/FanOutWorker/run", json=CHORES, timeout=LONG
        )
        assert answer.json() == DONE
        eventually(lambda: not self.left())
        assert Path(f"/proc/{self.pid}").exists()


@pytest.fixture(scope="session")
def started() -> Iterator[Local]:
    environment = {"PARALLELIZEWORK_MAX_PAUSE": "0"}
    fan_outs = ["FanOutWorker", PARCELS]
    with local(fan_outs, ports=Ports(0, 0, 0), environment=environment) as started:
        yield started


@pytest.fixture
def victim(started: Local) -> Iterator[Victim]:
    pid = started.processes[1].pid
    victim = Victim(started.ingress, started.admin, started.worker, pid)
    victim.forget_peak()
    yield victim
    victim.assert_unharmed()
