"""An unreachable worker does not count as an attempt and does not delay a run's end."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from parallelizework.client import Client, healthy
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server

from .processes import LONG, Running, eventually, running

CODE = """
import asyncio
from datetime import timedelta
from pydantic import BaseModel
from restate import Context
from parallelizework import Executor, Failure, FanOut, Policy

class Task(BaseModel):
    policy: Policy = Policy()

def split(task: Task) -> list[int]:
    return [1, 2, 3]

def one(task: Task) -> list[int]:
    return [1]

async def naps(ctx: Context, number: int) -> int:
    await ctx.sleep(timedelta(seconds=0.5))
    return number

async def hangs(number: int) -> int:
    await asyncio.sleep(3600)
    return number

def shops(number: int) -> int:
    return {}["shoes"]

def aggregate(values: list[int], failures: list[Failure[int]]) -> list[str]:
    return [str(value) for value in values] + [f.status for f in failures]

napping = FanOut("Napping", split=split, execute=naps, aggregate=aggregate,
    policy=Policy(max_attempts=2, max_retry_interval=timedelta(seconds=0.1)))
hanging_executor = Executor("HangingExecutor", execute=hangs)
hanging = FanOut("Hanging", split=split, executor="HangingExecutor",
    aggregate=aggregate)
shopping = FanOut("Shopping", split=one, execute=shops, aggregate=aggregate,
    policy=Policy(max_attempts=2))
"""


@dataclass(frozen=True)
class Site:
    """A restate-server, and a file with fan-outs to serve."""

    ingress: str
    admin: str
    module: Path

    @contextmanager
    def worker(self, *names: str, port: int = 0) -> Generator[tuple[Running, int]]:
        """Serve fan-outs of the file; at the same port, as the same worker."""
        is_new = not port
        port = port or Ports(0, 0, 0).chosen().worker
        targets = [f"{self.module}:{name}" for name in names]
        with running("serve", *targets, "--bind", f"127.0.0.1:{port}") as worker:
            eventually(lambda: healthy(f"http://127.0.0.1:{port}/health"))
            if is_new:
                with Client(admin=self.admin) as client:
                    client.register(f"http://127.0.0.1:{port}")
            yield worker, port

    def send(self, service: str, **policy: Any) -> str:
        url = f"{self.ingress}/restate/send/{service}/run"
        answer = httpx.post(url, json={"policy": policy}, timeout=LONG)
        return answer.raise_for_status().json()["invocationId"]

    def attach(self, run: str) -> httpx.Response:
        return httpx.get(f"{self.ingress}/restate/attach/{run}", timeout=LONG)

    def rows(self, where: str) -> list[dict[str, Any]]:
        answer = httpx.post(
            f"{self.admin}/query",
            json={"query": f"select * from sys_invocation where {where}"},
            headers={"accept": "application/json"},
            timeout=LONG,
        )
        return answer.raise_for_status().json()["rows"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, ports = tmp_path_factory.mktemp("outages"), Ports(0, 0, 0).chosen()
    module = folder / "outages.py"
    module.write_text(CODE)
    server = restate_server(find("restate-server"), ports, folder / "data", {})
    with server:
        url = "http://127.0.0.1:{}"
        yield Site(url.format(ports.ingress), url.format(ports.admin), module)


@pytest.fixture
def without_executor(site: Site) -> Iterator[None]:
    """The worker of the fan-out is there; that of its executor was killed."""
    with site.worker("hanging"), site.worker("hanging_executor") as (executor, _):
        run = site.send("Hanging")
        running = "target = 'HangingExecutor/runSubtask' and status = 'running'"
        eventually(lambda: len(site.rows(running)) == 3)
        executor.process.kill()
        executor.ended()
        httpx.patch(f"{site.admin}/invocations/{run}/cancel", timeout=LONG)
        assert site.attach(run).status_code == 409  # it did not wait for the executor
        yield


def test_an_outage_of_the_worker_does_not_count_as_an_attempt(site: Site) -> None:
    with site.worker("napping") as (worker, port):
        run = site.send("Napping")
        below = f"invoked_by_id = '{run}' and status <> 'completed'"
        eventually(lambda: len(site.rows(below)) == 3)
        worker.process.kill()
        worker.ended()
        # More often than there may be attempts.
        eventually(lambda: all(r.get("retry_count", 0) > 3 for r in site.rows(below)))

    with site.worker("napping", port=port):
        assert site.attach(run).json() == ["1", "2", "3"]


@pytest.mark.usefixtures("without_executor")
def test_a_deadline_ends_a_run_whose_executor_is_unreachable(site: Site) -> None:
    assert site.attach(site.send("Hanging", deadline=1)).status_code == 504


@pytest.mark.usefixtures("without_executor")
def test_a_subtask_times_out_when_its_executor_is_unreachable(site: Site) -> None:
    run = site.send("Hanging", subtask_timeout=1, tolerated_failure_percentage=100)

    assert site.attach(run).json() == ["timed_out"] * 3


@pytest.mark.usefixtures("without_executor")
def test_a_deadline_ends_a_run_whose_batches_have_no_executor(site: Site) -> None:
    run = site.send("Hanging", deadline=1, max_items_per_batch=2)

    assert site.attach(run).status_code == 504


def test_each_failed_attempt_is_logged_with_the_users_traceback(site: Site) -> None:
    with site.worker("shopping") as (worker, _):
        run = site.send("Shopping")
        answer = site.attach(run)

        worker.wait_for("attempt=2")
        output = worker.output

    assert "KeyError('shoes') in shops, outages.py:" in answer.json()["message"]
    first = f"attempt failed: service=Shopping execute=shops run={run} index=0"
    assert output.count(f"{first} attempt=1") == 1
    assert output.count(f"{first} attempt=2") == 1
    assert 'return {}["shoes"]' in output
    assert "restate/server_context.py" not in output
