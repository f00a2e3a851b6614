"""docker-compose.cluster.yml, as `tests/cluster/compose.sh` has started it."""

import os
import subprocess

import pytest

from parallelizework.client import healthy
from tests.integration.processes import eventually

from .runs import ask, done, send

CONTAINER = os.environ["COMPOSE_NODE"]
COUNT = 1_000


def ingress(number: int) -> str:
    return f"http://127.0.0.1:{os.environ[f'INGRESS_PORT_{number}']}"


def docker(action: str) -> None:
    subprocess.run(["docker", action, CONTAINER], check=True, capture_output=True)


@pytest.mark.timeout(400)
def test_a_run_survives_a_kill_of_the_container_that_accepted_the_run(key: str) -> None:
    run = send(ingress(1), key, COUNT)
    eventually(lambda: done(ingress(2), run) > COUNT // 10)

    docker("kill")
    answer = ask(ingress(3), key, COUNT)

    assert answer.json() == [n * n for n in range(COUNT)]
    assert answer.headers["x-restate-id"] == run
    docker("start")
    eventually(lambda: healthy(f"{ingress(1)}/restate/health"))
    assert ask(ingress(1), key, COUNT).json() == answer.json()
