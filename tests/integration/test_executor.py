"""A fan-out whose subtasks are executed by another service in other processes."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from parallelizework.client import Client, healthy
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server

from .conftest import Server
from .fan_outs.ledger import repair
from .processes import LONG, Running, eventually, running
from .test_dev import FAN_OUTS


@pytest.mark.parametrize("service", ["Remote", "RemoteBatch"])
def test_an_executor_executes_the_subtasks_of_a_fan_out(
    server: Server, service: str
) -> None:
    answer = server.run(service, {"count": 1_100, "free": 1_100})

    assert [square for square, _ in answer.json()] == [n * n for n in range(1_100)]


def test_max_attempts_of_the_fan_out_applies_at_its_executor(
    server: Server,
) -> None:
    answer = server.run("RemotePoison", {"count": 3, "free": 3})

    assert answer.status_code == 500
    message = answer.json()["message"]
    assert message.startswith("subtask 3 failed: ValueError('poison') in squared_else")
    assert message.endswith(", attempts: 2)")


@contextmanager
def apart(folder: Path) -> Generator[tuple[Running, Running, str]]:
    """The worker of the fan-outs, that of their executor, and the ingress."""
    ports = Ports(0, 0, 0).chosen()
    other = Ports(0, 0, 0).chosen().worker
    addresses = [f"127.0.0.1:{port}" for port in (ports.worker, other)]
    fan_outs = [f"{FAN_OUTS}.executors:remote", f"{FAN_OUTS}.executors:remote_batch"]
    with (
        restate_server(find("restate-server"), ports, folder, {}),
        running("serve", *fan_outs, "--bind", addresses[0]) as worker,
        running(
            "serve", f"{FAN_OUTS}.executors:remote_squares", "--bind", addresses[1]
        ) as other,
        Client(admin=f"http://127.0.0.1:{ports.admin}") as client,
    ):
        for address in addresses:
            eventually(lambda url=f"http://{address}/health": healthy(url))
            client.register(f"http://{address}")
        yield worker, other, f"http://127.0.0.1:{ports.ingress}"


@pytest.mark.parametrize("service", ["Remote", "RemoteBatch"])
def test_a_run_only_takes_longer_when_all_executors_are_killed(
    tmp_path: Path, key: str, service: str
) -> None:
    """The second half waits until they have been killed."""
    task = {"key": key, "count": 3_000, "free": 1_500}
    with apart(tmp_path) as (worker, executor, ingress):
        send = f"{ingress}/restate/send/{service}/run"
        run = httpx.post(send, json=task, timeout=LONG).json()["invocationId"]
        counts = f"{ingress}/FanOutProgress/{run}/get"
        eventually(lambda: _succeeded(counts) > 300)

        executor.process.kill()
        executor.process.wait()
        repair(key)
        with running(*executor.arguments) as second:
            attach = f"{ingress}/restate/attach/{run}"
            values = httpx.get(attach, timeout=LONG).json()

    assert [square for square, _ in values] == [n * n for n in range(3_000)]
    processes = {executor.process.pid, second.process.pid}
    assert {process for _, process in values} == processes
    assert worker.process.pid not in processes


def _succeeded(counts: str) -> int:
    return httpx.get(counts, timeout=LONG).json().get("succeeded", 0)
