"""The containers of the manifests, run as processes with their own commands."""

import subprocess
from pathlib import Path
from time import monotonic

import httpx
import pytest

from tests.faults.proxy import proxy
from tests.integration.processes import LONG, Running

from .manifests import DEPLOY, Container, Manifests, rendered
from .processes import FAN_OUTS, Here, entrypoint, is_healthy, processes, ready, run

CHORES = {"description": "make coffee,shower"}
DONE = {"description": "make coffee: DONE,shower: DONE"}


@pytest.fixture(scope="module")
def manifests() -> Manifests:
    return rendered(DEPLOY / "overlays" / "single")


@pytest.fixture(scope="module")
def worker(manifests: Manifests) -> Container:
    return manifests.container("Deployment/worker-v1")


@pytest.fixture(scope="module")
def server(manifests: Manifests) -> Container:
    return manifests.container("StatefulSet/restate")


@pytest.fixture(scope="module")
def register(manifests: Manifests) -> Container:
    return manifests.container("Job/register-v1")


def test_the_command_of_the_image_is_the_command_of_these_tests() -> None:
    assert entrypoint() == ["parallelizework"]


def test_server_worker_and_job_run_a_fan_out(
    worker: Container, server: Container, register: Container, tmp_path: Path
) -> None:
    here = Here()
    with here.server(server, tmp_path):
        assert is_healthy(here, server)
        with ready(here, worker), here.container(register) as job:
            assert job.ended() == 0, job.output
            assert run(here, "FanOutWorker", CHORES) == DONE


def test_the_job_may_run_again(
    worker: Container, server: Container, register: Container, tmp_path: Path
) -> None:
    here = Here()
    with here.server(server, tmp_path), ready(here, worker):
        for _ in range(2):
            with here.container(register) as job:
                assert job.ended() == 0, job.output


def test_the_job_fails_until_server_and_worker_answer(
    server: Container, register: Container, tmp_path: Path
) -> None:
    here = Here()
    with here.container(register) as job:
        assert job.ended() == 1
    with here.server(server, tmp_path), here.container(register) as job:
        assert job.ended() == 1


def stopped(worker: Container, process: Running) -> float:
    """Stop a worker as Kubernetes does; return the seconds that this has taken."""
    begin = monotonic()
    hook = worker.fields["lifecycle"]["preStop"]["exec"]["command"]
    subprocess.run(hook, check=True)
    process.process.terminate()
    assert process.ended() == 0, process.output
    return monotonic() - begin


def test_a_stopped_pod_ends_its_subtasks_in_flight(
    worker: Container, server: Container, register: Container, tmp_path: Path
) -> None:
    here = Here()
    with (
        here.server(server, tmp_path),
        ready(here, worker, f"{FAN_OUTS}:slow") as process,
    ):
        with here.container(register) as job:
            assert job.ended() == 0, job.output
        url = here.url(8080, "/restate/send/Slow/run")
        # Longer than preStop, and longer than the default grace period of 8 s.
        answer = httpx.post(url, json=[15.0], timeout=LONG).raise_for_status().json()
        process.wait_for("slow subtask starts")

        seconds = stopped(worker, process)

        assert "slow subtask ends" in process.output
        assert seconds < worker.pod["spec"]["terminationGracePeriodSeconds"]
        with ready(here, worker, f"{FAN_OUTS}:slow") as next_pod:
            attach = here.url(8080, f"/restate/attach/{answer['invocationId']}")
            assert httpx.get(attach, timeout=LONG).json() == [15.0]
            assert "slow subtask starts" not in next_pod.output


def test_an_added_pod_executes_subtasks_when_the_load_grows(
    worker: Container, server: Container, register: Container, tmp_path: Path
) -> None:
    # A proxy distributes connections, as a Service does.
    first, second, fan_out = Here(), Here(), f"{FAN_OUTS}:paced"
    with (
        ready(first, worker, fan_out),
        proxy([first.port(9080), second.port(9080)]) as service,
    ):
        here = Here(worker=service.port)
        with here.server(server, tmp_path):
            with here.container(register) as job:
                assert job.ended() == 0, job.output
            assert len(processes(here, runs=1)) == 1

            with ready(second, worker, fan_out):
                assert len(processes(here, runs=4)) == 2
