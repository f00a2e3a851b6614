"""The ASGI application under other servers, and where there is none."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from parallelizework.client import healthy
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server

from .processes import LONG, eventually, running
from .test_dev import FAN_OUTS

APP = "parallelizework.serving.asgi:app"
COMMANDS = {
    "uvicorn": ["uvicorn", APP, "--port"],
    "granian": ["granian", "--interface", "asgi", APP, "--port"],
    "granian without lifespan": ["granian", "--interface", "asginl", APP, "--port"],
    "hypercorn": ["hypercorn", APP, "--bind"],
}


@contextmanager
def serving(command: list[str]) -> Generator[tuple["subprocess.Popen[bytes]", str]]:
    """Another server's command, and where it serves the squares."""
    port = Ports(0, 0, 0).chosen().worker
    where = f"127.0.0.1:{port}" if command[-1] == "--bind" else str(port)
    program = Path(sys.executable).with_name(command[0])
    process = subprocess.Popen(
        [program, *command[1:], where],
        env={**os.environ, "PARALLELIZEWORK_FAN_OUTS": f"{FAN_OUTS}.values:squares"},
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: healthy(f"{url}/health") or process.poll() is not None)
        yield process, url
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(LONG)


@pytest.mark.parametrize("name", COMMANDS)
def test_another_server_ends_on_sigterm_after_it_has_served_runs(
    tmp_path: Path, name: str
) -> None:
    ports = Ports(0, 0, 0).chosen()
    with (
        restate_server(find("restate-server"), ports, tmp_path, {}),
        serving(COMMANDS[name]) as (process, url),
    ):
        deployment = {"uri": url, "use_http_11": name == "uvicorn"}
        admin = f"http://127.0.0.1:{ports.admin}"
        registered = httpx.post(f"{admin}/deployments", json=deployment, timeout=LONG)
        registered.raise_for_status()
        run = f"http://127.0.0.1:{ports.ingress}/Squares/run"
        answer = httpx.post(run, json=3, timeout=LONG)

        process.terminate()

        assert answer.json() == [0, 1, 4]
        assert process.wait(30) in (0, -signal.SIGTERM)


def test_a_worker_on_aws_lambda_ends_with_an_error_of_one_line() -> None:
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "mine"}
    with running("serve", environment=environment) as worker:
        assert worker.ended() == 1
        assert worker.output.startswith("parallelizework: AWS Lambda")
        assert worker.output.count("\n") == 1
