"""Processes that die: `dev` and `serve --workers` replace them."""

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from parallelizework.client import healthy
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from tests.ports import is_free

from .conftest import ROOT
from .fan_outs.ledger import Ledger, repair
from .processes import COMMAND, LONG, Running, eventually, running
from .test_dev import FAN_OUTS, FREE
from .test_serve import alone, served

SERVING = ROOT / "tests" / "integration" / "fan_outs" / "deadly.py"
BREAKABLE = """
import os
from pathlib import Path

from tests.integration.fan_outs.values import squares

if Path(__file__).with_name("broken").exists():
    print("the disk is on fire", flush=True)
    os._exit(3)
"""
BREAKABLE_SERVER = """#!/bin/sh
if [ -e "{}" ]; then
    echo "2026-11-25T17:35:28.025771Z INFO restate_server"
    echo "  Starting Restate Server"
    echo "2026-11-25T17:35:28.852231Z ERROR restate_server"
    echo "  the disk is on fire"
    exit 3
fi
exec "{}" "$@"
"""


@pytest.fixture
def breakable(tmp_path: Path) -> Path:
    """A module that ends each process that imports it while `broken` exists."""
    module = tmp_path / "breakable.py"
    module.write_text(BREAKABLE)
    return module


def children(process: Running, of: str) -> list[int]:
    """The processes that it has started, with that in their command line."""
    pid = process.process.pid
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed if of in words(int(child))]


def words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def workers(process: Running) -> list[int]:
    """The processes of a `serve --workers`."""
    return children(process, "spawn_main")


def executing(dev: Running, key: str) -> tuple[str, str]:
    """Send a task to `Staggering`; return ingress and run when all subtasks execute."""
    ingress = dev.wait_for("curl").split()[2].removesuffix("/Staggering/run")
    task = {"key": key, "count": 8, "free": 4}
    send = f"{ingress}/restate/send/Staggering/run"
    run = httpx.post(send, json=task, timeout=LONG).json()["invocationId"]
    eventually(lambda: all(Ledger(f"{key}-{n}").size for n in range(8)))
    return ingress, run


def test_dev_starts_a_killed_worker_again_and_its_run_ends(key: str) -> None:
    with running("dev", f"{FAN_OUTS}.waiting:staggering", *FREE) as dev:
        ingress, run = executing(dev, key)
        [worker] = children(dev, " serve ")

        os.kill(worker, signal.SIGKILL)
        dev.wait_for("the worker was killed by SIGKILL")
        repair(key)

        answer = httpx.get(f"{ingress}/restate/attach/{run}", timeout=LONG)
        assert len(answer.json()) == 8
        [second] = children(dev, " serve ")
        assert second != worker
        dev.process.terminate()
        assert dev.ended() == 0


def test_dev_stops_restarting_a_worker_that_dies_at_each_start(breakable: Path) -> None:
    with running("dev", f"{breakable}:squares", *FREE) as dev:
        dev.wait_for("Ctrl-C")
        [worker] = children(dev, " serve ")
        breakable.with_name("broken").touch()

        os.kill(worker, signal.SIGKILL)

        assert dev.ended() == 1
        last = dev.output.splitlines()[-2:]
        assert last[0] == "the disk is on fire"
        assert "the worker ended with code 3" in last[1]
        assert "Traceback" not in dev.output


def test_dev_starts_a_killed_server_again_and_its_run_ends(key: str) -> None:
    with running("dev", f"{FAN_OUTS}.waiting:staggering", *FREE) as dev:
        ingress, run = executing(dev, key)
        [server] = children(dev, "restate-server")

        os.kill(server, signal.SIGKILL)
        dev.wait_for("restate-server was killed by SIGKILL and is started again")
        eventually(lambda: healthy(f"{ingress}/restate/health"))
        repair(key)

        answer = httpx.get(f"{ingress}/restate/attach/{run}", timeout=LONG)
        assert len(answer.json()) == 8
        dev.process.terminate()
        assert dev.ended() == 0


def test_dev_ends_with_the_errors_in_the_log_of_a_server_that_dies_at_each_start(
    tmp_path: Path,
) -> None:
    program, broken = tmp_path / "restate-server", tmp_path / "broken"
    program.write_text(BREAKABLE_SERVER.format(broken, find("restate-server")))
    program.chmod(0o755)
    environment = {"PARALLELIZEWORK_RESTATE_SERVER": str(program)}
    with running("dev", *FREE, environment=environment) as dev:
        dev.wait_for("Ctrl-C")
        [server] = children(dev, "restate-server")
        broken.touch()

        os.kill(server, signal.SIGKILL)

        assert dev.ended() == 1
        log = dev.output.partition("the log of restate-server:\n")[2].splitlines()
        assert log[:2] == [
            "2026-11-25T17:35:28.852231Z ERROR restate_server",
            "  the disk is on fire",
        ]
        assert "restate-server ended with code 3, 5 times" in log[-1]
        assert "check the free memory" in log[-1]
        assert "INFO" not in "".join(log)
        assert "Traceback" not in dev.output


def test_dev_prints_nothing_but_results_to_stdout() -> None:
    with subprocess.Popen(
        [*COMMAND, "dev", *FREE], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as dev:
        assert dev.stdout
        assert dev.stderr
        line = next(line for line in dev.stderr if b"Ctrl-C" in line)
        dev.terminate()

        assert line
        dev.stderr.read()
        assert dev.stdout.read() == b""


@pytest.mark.parametrize("end", ["kill", "exit", "segfault"])
def test_a_process_that_a_subtask_ends_is_replaced(
    tmp_path: Path, key: str, end: str
) -> None:
    with served(tmp_path, f"{SERVING}:deadly", workers=2) as (worker, ingress):
        before = workers(worker)
        task = {"key": key, "end": end}
        url = f"{ingress}/Deadly/run"

        answer = httpx.post(url, json=task, timeout=LONG)

        assert answer.json() == 2
        how = "ended with code 3" if end == "exit" else "was killed by SIG"
        assert how in worker.wait_for("replaces it")
        eventually(lambda: len(workers(worker)) == 2)
        assert len({*before, *workers(worker)}) == 3
        worker.process.terminate()
        assert worker.ended() == 0


def test_processes_that_die_at_each_start_end_the_worker(breakable: Path) -> None:
    with alone(f"{breakable}:squares", workers=2) as (worker, _):
        breakable.with_name("broken").touch()

        os.kill(workers(worker)[0], signal.SIGKILL)

        assert worker.ended() == 1
        assert "5 times" in worker.output.splitlines()[-1]
        assert "Traceback" not in worker.output


def test_no_process_outlives_a_killed_parent() -> None:
    with alone(f"{FAN_OUTS}.values:squares", workers=2) as (worker, url):
        started = workers(worker)
        assert len(started) == 2

        worker.process.kill()

        eventually(lambda: is_free(int(url.rpartition(":")[2])))
        assert not any("spawn_main" in words(pid) for pid in started)


def test_a_process_that_does_not_answer_does_not_prevent_the_shutdown() -> None:
    with alone(f"{FAN_OUTS}.values:squares", workers=2, grace=0.5) as (worker, _):
        os.kill(workers(worker)[0], signal.SIGSTOP)

        worker.process.terminate()

        assert worker.ended() == 0


@pytest.mark.parametrize("first", [1, 2])
def test_several_processes_report_an_address_in_use_in_one_line(
    first: int,
) -> None:
    with alone(f"{FAN_OUTS}.values:squares", workers=first) as (_, url):
        bind = url.removeprefix("http://")
        with running("serve", "--bind", bind, "--workers", "2") as second:
            assert second.ended() == 1
            assert second.output == (
                f"parallelizework: {bind} is in use: choose another --bind\n"
            )


@pytest.mark.parametrize("name", ["Deadly", "DeadlyAsync", "DeadlyCode"])
def test_a_keyboard_interrupt_in_a_subtask_ends_the_worker(
    tmp_path: Path, key: str, name: str
) -> None:
    targets = [f"{SERVING}:{n}" for n in ("deadly", "deadly_async", "deadly_code")]
    with served(tmp_path, *targets) as (worker, ingress):
        send = f"{ingress}/restate/send/{name}/run"
        task = {"key": key, "end": "interrupt"}
        run = httpx.post(send, json=task, timeout=LONG).json()["invocationId"]

        assert worker.ended() == 130
        with running(*worker.arguments):
            answer = httpx.get(f"{ingress}/restate/attach/{run}", timeout=LONG)
        assert answer.json() == 2


def test_one_of_several_processes_is_replaced_after_a_keyboard_interrupt(
    tmp_path: Path, key: str
) -> None:
    with served(tmp_path, f"{SERVING}:deadly", workers=2) as (worker, ingress):
        task = {"key": key, "end": "interrupt"}

        answer = httpx.post(f"{ingress}/Deadly/run", json=task, timeout=LONG)

        assert answer.json() == 2
        worker.wait_for("ended with code 130")


def test_a_worker_logs_its_address_only_once_it_listens() -> None:
    port = Ports(0, 0, 0).chosen().worker
    bind = f"127.0.0.1:{port}"
    with running("serve", "--bind", bind):
        eventually(lambda: healthy(f"http://{bind}/health"))
        with running("serve", "--bind", bind) as second:
            assert second.ended() == 1
            assert "Serving on" not in second.output
    with running("serve", "--bind", "127.0.0.1:0") as worker:
        url = "http://" + worker.wait_for("Serving on").split()[-1]
        assert healthy(f"{url}/health")
