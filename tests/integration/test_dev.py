"""`parallelizework dev`: a local server and a worker, up and down."""

import json
import os
import shlex
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server
from parallelizework.local.worker import serve

from .conftest import ROOT
from .processes import COMMAND, LONG, output_of, running
from .targets import FAN_OUTS

EXAMPLES = ROOT / "examples"
FREE = ["--ingress-port", "0", "--admin-port", "0", "--worker-port", "0"]


def test_the_curl_line_that_dev_prints_works_as_it_is() -> None:
    with running("dev", *FREE, environment={"PARALLELIZEWORK_MAX_PAUSE": "0"}) as dev:
        line = dev.wait_for("curl").removeprefix("Try").strip()

        answer = subprocess.run(shlex.split(line), check=True, capture_output=True)

    assert answer.stdout.startswith(b'{"description": "get out of bed: DONE,')


def test_the_run_line_that_dev_prints_works_as_it_is() -> None:
    with running("dev", *FREE, environment={"PARALLELIZEWORK_MAX_PAUSE": "0"}) as dev:
        line = dev.wait_for("parallelizework run").removeprefix("or").strip()
        command = [*COMMAND, *shlex.split(line)[1:]]

        answer = subprocess.run(command, check=True, capture_output=True)

    assert answer.stdout.startswith(b'{"description": "get out of bed: DONE,')


def test_the_example_of_dev_is_of_its_first_target() -> None:
    targets = [f"{FAN_OUTS}.values:squares", "FanOutWorker"]
    with running("dev", *targets, *FREE) as dev:
        line = dev.wait_for("curl").removeprefix("Try").strip()

        answer = subprocess.run(shlex.split(line), check=True, capture_output=True)

        services = dev.wait_for("Services").split(maxsplit=1)[1]
    assert json.loads(answer.stdout) == [0, 1, 4]
    assert services == (
        "Squares, FanOutWorker, FanOutProgress, FanOutRedrive, FanOutOutcomes"
    )


def test_the_export_lines_of_dev_lead_other_commands_to_its_ports() -> None:
    with running("dev", *FREE) as dev:
        dev.wait_for("Ctrl-C")
        lines = [line for line in dev.output.splitlines() if "export " in line]
        variables = dict(line.split()[1].split("=", 1) for line in lines)

        listed = output_of("list", where=variables)

    assert len(variables) == 2
    assert "RUN" in listed


def test_dev_shows_the_log_of_subtasks_with_process_and_invocation() -> None:
    with running("dev", *FREE) as dev:
        line = dev.wait_for("curl").removeprefix("Try").strip()
        subprocess.run(shlex.split(line), check=True, capture_output=True)
        started = dev.wait_for("Started executing subtask: shower")
        finished = dev.wait_for("Execution subtask finished: shower")
        dev.wait_for("Aggregated result: get out of bed: DONE,shower: DONE")

    for logged in (started, finished):
        assert " pid=" in logged
        assert " invocation=inv_" in logged


def test_a_replay_logs_no_message_twice() -> None:
    with running("dev", *FREE, environment={"PARALLELIZEWORK_MAX_PAUSE": "0"}) as dev:
        line = dev.wait_for("curl").removeprefix("Try").strip()
        admin = dev.wait_for("UI").split()[1]
        httpx.patch(
            f"{admin}/services/FanOutWorker",
            json={"inactivity_timeout": "0s"},
            timeout=LONG,
        ).raise_for_status()
        subprocess.run(shlex.split(line), check=True, capture_output=True)
        dev.wait_for("Aggregated result")

        assert dev.output.count("Started executing subtask: shower") == 1
        assert dev.output.count("Aggregated result") == 1


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_dev_leaves_no_process_behind(signum: signal.Signals) -> None:
    with running("dev", *FREE) as dev:
        admin = dev.wait_for("UI").removeprefix("UI").strip()
        dev.wait_for("Ctrl-C")
        children = _children(dev.process.pid)

        dev.process.send_signal(signum)

        assert dev.ended() == 0
    assert len(children) == 2
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{admin}/health", timeout=LONG)


def test_a_run_survives_a_restart_with_a_kept_data_folder(tmp_path: Path) -> None:
    options = [f"{FAN_OUTS}.values:squares", *FREE, "--data", str(tmp_path)]
    with running("dev", *options) as dev:
        ingress = _ingress(dev.wait_for("curl"))
        send = f"{ingress}/restate/send/Squares/run?delay=3s"
        run = httpx.post(send, json=3, timeout=LONG).json()["invocationId"]

    with running("dev", *options) as dev:
        ingress = _ingress(dev.wait_for("curl"))
        answer = httpx.get(f"{ingress}/restate/attach/{run}", timeout=LONG)

    assert answer.json() == [0, 1, 4]


def test_a_port_in_use_is_reported() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = ["--admin-port", str(port), "--ingress-port", "0"]
        with running("dev", *options) as dev:
            assert dev.ended() == 1
            assert f"port {port} is in use" in dev.output
            assert "--admin-port" in dev.output


def test_a_missing_server_is_reported_in_one_line() -> None:
    environment = {"PARALLELIZEWORK_RESTATE_SERVER": "/nowhere/restate-server"}
    with running("dev", *FREE, environment=environment) as dev:
        assert dev.ended() == 1
        assert dev.output == (
            "parallelizework: /nowhere/restate-server is not an executable program: "
            "correct PARALLELIZEWORK_RESTATE_SERVER\n"
        )


def test_a_missing_fan_out_is_reported_and_everything_is_stopped() -> None:
    target = f"{EXAMPLES}/wordcount.py:wordcuont"
    with running("dev", target, *FREE) as dev:
        assert dev.ended() == 1
        assert "'wordcuont' is not defined" in dev.output
        assert "are: wordcount" in dev.output
        assert "Traceback" not in dev.output


def test_the_restate_cli_registers_a_worker_that_serve_runs(tmp_path: Path) -> None:
    ports = Ports(0, 0, 0).chosen()
    worker = f"http://127.0.0.1:{ports.worker}"
    admin = f"http://127.0.0.1:{ports.admin}"
    register = [find("restate"), "--yes", "deployments", "register", worker]
    with (
        restate_server(find("restate-server"), ports, tmp_path, os.environ),
        serve([f"{FAN_OUTS}.values:squares"], ports.worker, environment=os.environ),
    ):
        registered = subprocess.run(
            register,
            env={**os.environ, "RESTATE_ADMIN_URL": admin},
            check=True,
            capture_output=True,
            text=True,
        )
        url = f"http://127.0.0.1:{ports.ingress}/Squares/run"
        answer = httpx.post(url, json=3, timeout=LONG)

    assert "Squares" in registered.stdout
    assert answer.json() == [0, 1, 4]


def _ingress(line: str) -> str:
    return shlex.split(line)[2].rpartition("/")[0].rpartition("/")[0]


def _children(pid: int) -> list[int]:
    return [
        int(child)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ]


def test_a_server_without_a_worker_runs_until_it_is_stopped(tmp_path: Path) -> None:
    ports = ["--ingress-port", "0", "--admin-port", "0", "--data", str(tmp_path)]
    with running("server", *ports) as server:
        admin = server.wait_for("UI").split()[1]
        ingress = server.wait_for("Ingress").split()[1]
        server.wait_for("Ctrl-C")

        assert httpx.get(f"{admin}/health", timeout=LONG).is_success
        assert httpx.get(f"{ingress}/restate/health", timeout=LONG).is_success
        assert len(_children(server.process.pid)) == 1
        server.process.send_signal(signal.SIGINT)

        assert server.ended() == 0
    assert (tmp_path / "restate-server.log").exists()
