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
LARGE_WINDOWS = [
    *["--http2-initial-connection-window-size", "67108864"],
    *["--http2-initial-stream-window-size", "4194304"],
]
# The command in docs/how-to/serve.md.
GRANIAN = ["granian", APP, "--interface", "asginl", "--http", "auto", *LARGE_WINDOWS]
COMMANDS = {
    "uvicorn": ["uvicorn", APP, "--port"],
    "granian": [*GRANIAN, "--port"],
    "granian with lifespan": ["granian", APP, "--interface", "asgi", "--port"],
    "hypercorn": ["hypercorn", APP, "--bind"],
}
SQUARES = f"{FAN_OUTS}.values:squares"


@contextmanager
def serving(
    command: list[str], *targets: str
) -> Generator[tuple["subprocess.Popen[bytes]", str]]:
    """Another server's command, and its URL."""
    port = Ports(0, 0, 0).chosen().worker
    where = f"127.0.0.1:{port}" if command[-1] == "--bind" else str(port)
    program = Path(sys.executable).with_name(command[0])
    process = subprocess.Popen(
        [program, *command[1:], where],
        env={**os.environ, "PARALLELIZEWORK_FAN_OUTS": " ".join(targets)},
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


@contextmanager
def served(
    folder: Path, name: str, *targets: str
) -> Generator[tuple["subprocess.Popen[bytes]", str]]:
    """The same, registered at a restate-server; with the ingress."""
    ports = Ports(0, 0, 0).chosen()
    with (
        restate_server(find("restate-server"), ports, folder, {}),
        serving(COMMANDS[name], *targets) as (process, url),
    ):
        deployment = {"uri": url, "use_http_11": name == "uvicorn"}
        admin = f"http://127.0.0.1:{ports.admin}"
        registered = httpx.post(f"{admin}/deployments", json=deployment, timeout=LONG)
        registered.raise_for_status()
        yield process, f"http://127.0.0.1:{ports.ingress}"


@pytest.mark.parametrize("name", COMMANDS)
def test_another_server_ends_on_sigterm_after_it_has_served_runs(
    tmp_path: Path, name: str
) -> None:
    with served(tmp_path, name, SQUARES) as (process, ingress):
        answer = httpx.post(f"{ingress}/Squares/run", json=3, timeout=LONG)

        process.terminate()

        assert answer.json() == [0, 1, 4]
        assert process.wait(30) in (0, -signal.SIGTERM)


def test_granian_serves_many_subtasks_and_large_values(tmp_path: Path) -> None:
    targets = [SQUARES, f"{FAN_OUTS}.sizes:sizes_combined"]
    with served(tmp_path, "granian", *targets) as (_, ingress):
        squares = httpx.post(f"{ingress}/Squares/run", json=3_000, timeout=LONG)
        sizes = {"count": 20, "value": 1}
        large = httpx.post(f"{ingress}/SizesCombined/run", json=sizes, timeout=LONG)

    assert squares.json() == [number * number for number in range(3_000)]
    assert large.is_success, large.text


def test_a_worker_on_aws_lambda_ends_with_an_error_of_one_line() -> None:
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "mine"}
    with running("serve", environment=environment) as worker:
        assert worker.ended() == 1
        assert worker.output.startswith("parallelizework: AWS Lambda")
        assert worker.output.count("\n") == 1
