"""`parallelizework serve`: the worker by itself."""

import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from parallelizework.client import Client, healthy
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server
from parallelizework.messages import VIRTUAL_OBJECTS

from .fan_outs.ledger import Ledger, repair
from .processes import COMMAND, LONG, Running, eventually, running
from .test_dev import FAN_OUTS


@contextmanager
def alone(
    *targets: str, workers: int = 1, grace: float = 8
) -> Generator[tuple[Running, str], None, None]:
    """A worker that a test may kill or stop, and its address."""
    bind = f"127.0.0.1:{Ports(0, 0, 0).chosen().worker}"
    options = ["--bind", bind, "--workers", str(workers)]
    environment = {"PARALLELIZEWORK_GRACE_PERIOD": str(grace)}
    with running("serve", *targets, *options, environment=environment) as worker:
        eventually(lambda: healthy(f"http://{bind}/health") or worker.has_ended)
        assert not worker.has_ended, worker.output
        yield worker, f"http://{bind}"


@contextmanager
def served(
    folder: Path, *targets: str, workers: int = 1, grace: float = 8
) -> Generator[tuple[Running, str], None, None]:
    """A server, and such a worker registered at it; with the ingress."""
    ports = Ports(0, 0, 0).chosen()
    with (
        restate_server(find("restate-server"), ports, folder, {}),
        alone(*targets, workers=workers, grace=grace) as (worker, url),
        Client(admin=f"http://127.0.0.1:{ports.admin}") as client,
    ):
        client.register(url)
        yield worker, f"http://127.0.0.1:{ports.ingress}"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_worker_finishes_its_subtasks_in_flight(
    tmp_path: Path, signum: signal.Signals, workers: int
) -> None:
    target = f"{FAN_OUTS}.concurrency:slow"
    with served(tmp_path, target, workers=workers) as (worker, ingress):
        send = f"{ingress}/restate/send/Slow/run"
        httpx.post(send, json=[1.0], timeout=LONG).raise_for_status()
        worker.wait_for("slow subtask starts")

        worker.process.send_signal(signum)

        assert worker.ended() == 0
        assert "slow subtask ends" in worker.output


LATE = """
import asyncio, sys, threading, time
from tests.integration.fan_outs.values import squares

soon, main = asyncio.BaseEventLoop.call_soon_threadsafe, threading.get_ident()

def and_then_nothing_for_a_while(self, *args, **more):
    handle = soon(self, *args, **more)
    if threading.get_ident() != main:
        time.sleep(0.3)
    return handle

class UntilTheyAreBack:
    def __del__(self, sleep=time.sleep):
        sleep(1)

asyncio.BaseEventLoop.call_soon_threadsafe = and_then_nothing_for_a_while
sys.ending = UntilTheyAreBack()
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_thread_that_ends_during_shutdown_does_not_crash_the_worker(
    tmp_path: Path, signum: signal.Signals
) -> None:
    (tmp_path / "late.py").write_text(LATE)
    with alone(f"{tmp_path / 'late.py'}:squares") as (worker, _):
        worker.process.send_signal(signum)

        assert worker.ended() == 0


def test_a_connected_client_does_not_delay_the_end_of_a_worker() -> None:
    with (
        alone(f"{FAN_OUTS}.values:squares", grace=0.5) as (worker, url),
        httpx.Client(http1=False, http2=True, verify=False) as client,
    ):
        client.get(f"{url}/health").raise_for_status()

        worker.process.terminate()

        assert worker.ended() == 0


def test_a_subtask_beyond_the_grace_period_is_executed_by_the_next_worker(
    tmp_path: Path, key: str
) -> None:
    target = f"{FAN_OUTS}.waiting:staggering"
    with served(tmp_path, target, grace=0.5) as (worker, ingress):
        send = f"{ingress}/restate/send/Staggering/run"
        task = {"key": key, "count": 1, "free": 0}
        run = httpx.post(send, json=task, timeout=LONG).json()["invocationId"]
        eventually(lambda: Ledger(f"{key}-0").size == 1)

        worker.process.terminate()

        assert worker.ended() == 0
        repair(key)
        with running(*worker.arguments):
            attach = f"{ingress}/restate/attach/{run}"
            assert httpx.get(attach, timeout=LONG).json() == [2]


def test_two_processes_share_the_work(tmp_path: Path, key: str) -> None:
    target = f"{FAN_OUTS}.concurrency:processes"
    with served(tmp_path, target, workers=2) as (_, ingress):
        task = {"run": key, "counts": [400]}
        answer = httpx.post(f"{ingress}/Processes/run", json=task, timeout=LONG)

        assert len(answer.json()) == 2


def test_serve_without_targets_serves_the_fan_outs_named_in_the_environment() -> None:
    environment = {
        "PARALLELIZEWORK_FAN_OUTS": f"FanOutWorker {FAN_OUTS}.values:squares"
    }
    [port] = {Ports(0, 0, 0).chosen().worker}
    bind = f"127.0.0.1:{port}"
    with running("serve", "--bind", bind, environment=environment):
        eventually(lambda: healthy(f"http://{bind}/health"))
        discovered = httpx.get(
            f"http://{bind}/discover",
            headers={"accept": "application/vnd.restate.endpointmanifest.v4+json"},
            timeout=LONG,
        )

    names = {service["name"] for service in discovered.json()["services"]}
    assert names == {*VIRTUAL_OBJECTS, "FanOutWorker", "Squares"}


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("nowhere.at_all:thing", "there is no module 'nowhere.at_all' in "),
        ("nowhere.py:thing", "there is no file "),
        ("thing", "'thing' is neither a ready-made fan-out (FanOutWorker, "),
        ("parallelizework:Policy", "'Policy' is a "),
    ],
)
def test_the_error_for_a_wrong_target_is_one_line_with_the_reason(
    target: str, complaint: str
) -> None:
    command = ["serve", target, "--bind", "127.0.0.1:0"]
    with running(*command) as worker:
        assert worker.ended() == 1
        assert worker.output.startswith("parallelizework: ")
        assert complaint in worker.output
        assert worker.output.count("\n") == 1


def test_a_definition_error_of_the_users_module_is_one_line(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text(
        "from parallelizework import FanOut\n"
        "FanOut('Mine', split=lambda t: t, execute=print, aggregate=sum)\n"
    )
    with running("serve", f"{module}:mine") as worker:
        assert worker.ended() == 1
        assert worker.output.startswith("parallelizework: split of Mine (")
        assert "has no type hint" in worker.output


def test_an_address_in_use_is_reported() -> None:
    port = Ports(0, 0, 0).chosen().worker
    bind = f"127.0.0.1:{port}"
    with running("serve", "--bind", bind):
        eventually(lambda: healthy(f"http://{bind}/health"))
        with running("serve", "--bind", bind) as second:
            assert second.ended() == 1
            assert bind in second.output
            assert "in use" in second.output
            assert "Traceback" not in second.output


def test_an_unknown_option_ends_with_exit_code_2() -> None:
    command = [*COMMAND, "serve", "--wrokers", "2"]

    answer = subprocess.run(command, check=False, capture_output=True, text=True)

    assert answer.returncode == 2
    assert "--wrokers" in answer.stderr


def test_after_a_kill_a_finished_subtask_is_not_executed_again(
    tmp_path: Path, key: str
) -> None:
    target = f"{FAN_OUTS}.waiting:staggering"
    with served(tmp_path, target) as (worker, ingress):
        send = f"{ingress}/restate/send/Staggering/run"
        task = {"key": key, "count": 8, "free": 4}
        run = httpx.post(send, json=task, timeout=LONG).json()["invocationId"]
        counts = f"{ingress}/FanOutProgress/{run}/get"
        eventually(lambda: all(Ledger(f"{key}-{n}").size for n in range(8)))
        eventually(lambda: '"succeeded":4' in httpx.get(counts, timeout=LONG).text)

        worker.process.kill()
        worker.process.wait()
        repair(key)
        with running(*worker.arguments):
            attach = f"{ingress}/restate/attach/{run}"
            executions = httpx.get(attach, timeout=LONG).json()

    assert executions == [1] * 4 + [2] * 4


def test_attempts_that_ended_before_a_kill_are_not_repeated(
    tmp_path: Path, key: str
) -> None:
    target = f"{FAN_OUTS}.attempts:counting"
    with served(tmp_path, target) as (worker, ingress):
        send = f"{ingress}/restate/send/Counting/run"
        run = httpx.post(send, json={"key": key}, timeout=LONG).json()["invocationId"]
        eventually(lambda: worker.output.count("attempt 2") == 3)

        worker.process.kill()
        worker.process.wait()
        with running(*worker.arguments) as second:
            attach = f"{ingress}/restate/attach/{run}"
            numbers = httpx.get(attach, timeout=LONG).json()

            assert numbers == [3, 3, 3]
            assert "attempt 1" not in second.output
