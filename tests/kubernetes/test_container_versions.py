"""Two versions of the worker, run as processes beside each other."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from parallelizework.local.binaries import find
from tests.integration.processes import LONG, Running

from .manifests import Container
from .processes import FAN_OUTS, Here, processes, ready
from .second_version import both_versions


@dataclass(frozen=True)
class Version:
    """A version of the worker that is running, and the Job that registers it."""

    here: Here
    worker: Running
    job: Container

    def register(self) -> None:
        """Run the Job."""
        with self.here.container(self.job) as job:
            assert job.ended() == 0, job.output


@contextmanager
def versions(
    folder: Path, fan_out: str
) -> Generator[tuple[Version, Version], None, None]:
    """Run a server and two versions, which are not registered."""
    both = both_versions(folder)
    first = Here()
    second = Here(beside=first)
    workers = [both.container(f"Deployment/worker-v{number}") for number in (1, 2)]
    jobs = [both.container(f"Job/register-v{number}") for number in (1, 2)]
    with (
        first.server(both.container("StatefulSet/restate"), folder / "data"),
        ready(first, workers[0], f"{FAN_OUTS}:{fan_out}") as old,
        ready(second, workers[1], f"{FAN_OUTS}:{fan_out}") as new,
    ):
        yield Version(first, old, jobs[0]), Version(second, new, jobs[1])


def test_new_calls_go_to_the_version_that_was_added_last(tmp_path: Path) -> None:
    with versions(tmp_path, "paced") as (old, new):
        old.register()
        new.register()
        old.register()  # as when its Job was deleted, and the manifests applied again

        assert processes(new.here, runs=1) == {new.worker.process.pid}


def removed(version: Version, deployment: str) -> bool:
    """Remove a deployment as the page shows; return whether this has succeeded."""
    command = [find("restate"), "deployments", "remove", "--yes", deployment]
    environment = {**os.environ, "RESTATE_ADMIN_URL": version.here.url(9070)}
    return subprocess.run(command, check=False, env=environment).returncode == 0


def test_a_version_is_removed_only_after_its_runs(tmp_path: Path) -> None:
    with versions(tmp_path, "slow") as (old, new):
        old.register()
        [listed] = httpx.get(old.here.url(9070, "/deployments")).json()["deployments"]
        send = old.here.url(8080, "/restate/send/Slow/run")
        run = httpx.post(send, json=[8.0], timeout=LONG).json()["invocationId"]
        old.worker.wait_for("slow subtask starts")
        new.register()

        assert not removed(old, listed["id"])
        attach = old.here.url(8080, f"/restate/attach/{run}")
        assert httpx.get(attach, timeout=LONG).json() == [8.0]
        assert "slow subtask ends" in old.worker.output
        assert removed(old, listed["id"])
