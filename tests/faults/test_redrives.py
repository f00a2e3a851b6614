"""Workers and server are killed while a run is redriven: nothing is lost."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import JsonValue

from parallelizework import Policy
from parallelizework.client import Client
from parallelizework.errors import RunFailed
from tests.faults.site import Site, site, together
from tests.integration.fan_outs.ledger import repair
from tests.integration.fan_outs.redrives import lines
from tests.integration.processes import eventually

pytestmark = pytest.mark.timeout(300)
TARGETS = [
    "tests.integration.fan_outs.redrives:redriven",
    "tests.integration.fan_outs.redrives:redriven_sharded",
]
COUNT, FIRST = 400, 150  # subtasks, and those that succeed before the redrive
AT_ONCE = 8


def kill_the_workers(system: Site) -> None:
    together(worker.kill for worker in system.workers)
    together(worker.start for worker in system.workers)


def kill_the_server(system: Site) -> None:
    system.server.kill()
    system.server.start()


def kill_everything(system: Site) -> None:
    programs = [system.server, *system.workers]
    together(program.kill for program in programs)
    together(program.start for program in programs)


def succeeded(key: str) -> Counter[int]:
    """How often each subtask has succeeded."""
    prefix = "succeeded "
    found = (line for line in lines(key) if line.startswith(prefix))
    return Counter(int(line.removeprefix(prefix)) for line in found)


def until_succeeded(key: str, least: int) -> None:
    eventually(lambda: len(succeeded(key)) >= least)


@pytest.mark.parametrize("fan_out", ["Redriven", "RedrivenSharded"])
@pytest.mark.parametrize("kill", [kill_the_workers, kill_the_server, kill_everything])
def test_a_redrive_survives_kills(
    tmp_path: Path, fan_out: str, kill: Callable[[Site], None]
) -> None:
    key = uuid4().hex
    task: JsonValue = {
        "key": key,
        "count": COUNT,
        "hanging": list(range(FIRST, COUNT)),
        "shards": 2,
        "pause": 0.05,
        "policy": {"deadline": 3, "max_concurrency": 100},
    }
    with (
        site(tmp_path, TARGETS) as system,
        Client(system.ingress, system.admin) as client,
    ):
        run = client.submit(fan_out, task)
        with pytest.raises(RunFailed, match="the deadline of 3 s has passed"):
            run.result(60)
        before = succeeded(key)
        repair(key)

        redrive = run.redrive(
            Policy(deadline=timedelta(minutes=2), max_concurrency=AT_ONCE)
        )
        for percent in (20, 50):
            until_succeeded(key, len(before) + percent * (COUNT - len(before)) // 100)
            kill(system)

        result = redrive.result(120)

    after = succeeded(key)
    assert result == list(range(COUNT))
    assert 0 < len(before) <= FIRST
    assert {number: after[number] for number in before} == dict.fromkeys(before, 1)
    # A kill loses what executes at that time: these subtasks are executed again.
    assert after.total() - COUNT <= 2 * AT_ONCE
