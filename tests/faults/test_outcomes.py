"""Workers and server are killed while outcomes are read: each arrives exactly once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import JsonValue

from parallelizework.client import Client
from tests.faults.site import Site, site
from tests.faults.test_redrives import (
    TARGETS,
    kill_everything,
    kill_the_server,
    kill_the_workers,
    until_succeeded,
)

pytestmark = pytest.mark.timeout(300)
COUNT = 400
BAD = [7, 99, 333]


@pytest.mark.parametrize("fan_out", ["Redriven", "RedrivenSharded"])
@pytest.mark.parametrize("kill", [kill_the_workers, kill_the_server, kill_everything])
def test_each_outcome_arrives_once_in_spite_of_kills(
    tmp_path: Path, fan_out: str, kill: Callable[[Site], None]
) -> None:
    key = uuid4().hex
    policy: JsonValue = {"stream": True, "tolerated_failure_count": len(BAD)}
    task: JsonValue = {"key": key, "count": COUNT, "bad": [*BAD], "pause": 0.3}
    task |= {"shards": 3, "policy": policy}

    with (
        site(tmp_path, TARGETS) as system,
        Client(system.ingress, system.admin) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        run = client.submit(fan_out, task)
        reading = pool.submit(lambda: list(run.outcomes()))
        for percent in (20, 60):
            until_succeeded(key, COUNT * percent // 100)
            kill(system)
        result = run.result(120)
        again = list(run.outcomes())
        outcomes = reading.result(120)

    assert outcomes == again
    places = Counter((each.shard, each.index) for each in outcomes)
    assert len(places) == len(outcomes) == COUNT
    values = [each.value for each in outcomes if not each.failure]
    assert isinstance(result, list)
    assert sorted(str(value) for value in values) == sorted(f"[{n}]" for n in result)
    assert len(values) == COUNT - len(BAD)
