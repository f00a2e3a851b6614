"""Workers with changed code replace workers while runs are in flight."""

import subprocess
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from parallelizework.client import Client, healthy
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server

from .conftest import Server
from .processes import LONG, Running, eventually, running

OLD = """
import asyncio
from parallelizework import FanOut

def split(count: int) -> list[int]:
    return list(range(count))

async def execute(number: int) -> str:
    await asyncio.sleep(0.02)
    return f"{number} old"

def aggregate(values: list[str]) -> list[str]:
    return [*values, "aggregated by old"]

changing = FanOut("Changing", split=split, execute=execute, aggregate=aggregate)
"""
# Other steps in another order: a replay of an old journal with this code would fail.
NEW = """
import asyncio
from datetime import timedelta
from parallelizework import Done, FanOut, Policy

def split(count: int) -> list[int | Done[str]]:
    return [Done("0 known"), *range(1, count)]

async def execute(number: int) -> str:
    await asyncio.sleep(0.01)
    return f"{number} new"

def aggregate(values: list[str]) -> list[str]:
    return [*values, "aggregated by new"]

changing = FanOut("Changing", split=split, execute=execute, aggregate=aggregate,
    policy=Policy(max_items_per_batch=8, deadline=timedelta(minutes=5)))
"""
SUBTASKS = 100


@dataclass(frozen=True)
class Site:
    """A server, and the folder for the code of its workers."""

    server: Server
    folder: Path

    @contextmanager
    def worker(
        self, name: str, code: str
    ) -> Generator[tuple[Running, str], None, None]:
        """Run a worker with this code on its own port; yield it and its deployment."""
        module = self.folder / name / "changing.py"
        module.parent.mkdir()
        module.write_text(code)
        url = f"http://127.0.0.1:{Ports(0, 0, 0).chosen().worker}"
        bind = ["--bind", url.removeprefix("http://")]
        with running("serve", f"{module}:changing", *bind) as worker:
            eventually(lambda: healthy(f"{url}/health"))
            with Client(admin=self.server.admin) as client:
                client.register(url)
            yield worker, self._deployment(url)

    def _deployment(self, url: str) -> str:
        [row] = self.server.query(
            f"select id from sys_deployment where endpoint = '{url}/'"
        )
        return row["id"]

    def pinned(self, deployment: str) -> int:
        """Return the number of invocations that must continue on a deployment."""
        rows = self.server.query(
            "select id from sys_invocation where status <> 'completed' "
            f"and pinned_deployment_id = '{deployment}'"
        )
        return len(rows)


@pytest.fixture
def site(tmp_path: Path) -> Generator[Site, None, None]:
    ports = Ports(0, 0, 0).chosen()
    with restate_server(find("restate-server"), ports, tmp_path / "data", {}):
        ingress, admin = (f"http://127.0.0.1:{p}" for p in (ports.ingress, ports.admin))
        yield Site(Server(ingress, admin), tmp_path)


class Load:
    """Clients that submit one run after another until they are stopped."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._numbers = count()
        self._stop = threading.Event()
        self.sent: dict[int, Any] = {}
        self.begun = 0

    def client(self) -> None:
        with Client(self._server.ingress, self._server.admin) as client:
            while not self._stop.is_set():
                number = self.begun = next(self._numbers)
                key = f"run {number}"
                run = client.submit("Changing", SUBTASKS, idempotency_key=key)
                self.sent[number] = None
                self.sent[number] = run.result(LONG)

    @contextmanager
    def submitting(self, clients: int = 4) -> Generator[None, None, None]:
        """Submit runs until the block ends; then wait for all results."""
        with ThreadPoolExecutor(clients) as pool:
            loops = [pool.submit(self.client) for _ in range(clients)]
            try:
                yield
            finally:
                self._stop.set()
                for loop in loops:
                    loop.result()

    def by(self, version: str) -> list[int]:
        """Return the numbers of the runs that this version of the code aggregated."""
        last_value = f"aggregated by {version}"
        return [
            n
            for n, answer in list(self.sent.items())
            if answer and answer[-1] == last_value
        ]


def test_a_rolling_update_with_changed_code_loses_no_run(
    site: Site,
) -> None:
    load = Load(site.server)
    with (
        site.worker("old", OLD) as (old, retired),
        ExitStack() as after_the_load,
        load.submitting(),
    ):
        eventually(lambda: len(load.by("old")) > 6)
        after_the_load.enter_context(site.worker("new", NEW))
        registered = load.begun
        eventually(lambda: len(load.by("new")) > 3)
        eventually(lambda: site.pinned(retired) == 0)
        old.process.terminate()
        assert old.ended() == 0
        remove(site.server, retired)
        replaced = len(load.by("new"))
        eventually(lambda: len(load.by("new")) > replaced + 6)

    for answer in load.sent.values():
        assert [int(value.split()[0]) for value in answer[:-1]] == [*range(SUBTASKS)]
    assert max(load.by("old")) <= registered


def remove(server: Server, deployment: str) -> None:
    """Remove a drained deployment: see `docs/how-to/deploy-changed-code.md`."""
    subprocess.run(
        [find("restate"), "--yes", "deployments", "remove", deployment],
        env={"RESTATE_ADMIN_URL": server.admin},
        check=True,
        capture_output=True,
    )
