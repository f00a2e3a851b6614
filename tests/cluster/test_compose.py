"""docker-compose.cluster.yml, as `tests/cluster/compose.sh` has started it."""

import os
import subprocess

import httpx
import pytest

from parallelizework.client import healthy
from tests.integration.processes import eventually

CONTAINER = os.environ["COMPOSE_NODE"]
COUNT = 1_000


def ingress(number: int) -> str:
    return f"http://127.0.0.1:{os.environ[f'INGRESS_PORT_{number}']}"


def ask(number: int, key: str, count: int) -> httpx.Response:
    return httpx.post(
        f"{ingress(number)}/Squares/run",
        json=count,
        headers={"idempotency-key": key},
        timeout=200,
    )


def done(number: int, run: str) -> int:
    """How many subtasks of a run have ended, as far as is known."""
    answer = httpx.get(f"{ingress(number)}/FanOutProgress/{run}/get", timeout=60)
    return answer.json()["succeeded"] if answer.is_success else 0


def docker(order: str) -> None:
    subprocess.run(["docker", order, CONTAINER], check=True, capture_output=True)


@pytest.mark.timeout(400)
def test_a_run_survives_the_kill_of_the_container_that_it_was_sent_to(key: str) -> None:
    sent = httpx.post(
        f"{ingress(1)}/restate/send/Squares/run",
        json=COUNT,
        headers={"idempotency-key": key},
        timeout=60,
    ).raise_for_status()
    run = sent.json()["invocationId"]
    eventually(lambda: done(2, run) > COUNT // 10, 90)

    docker("kill")
    answer = ask(3, key, COUNT)

    assert answer.json() == [n * n for n in range(COUNT)]
    assert answer.headers["x-restate-id"] == run
    docker("start")
    eventually(lambda: healthy(f"{ingress(1)}/restate/health"), 120)
    assert ask(1, key, COUNT).json() == answer.json()
