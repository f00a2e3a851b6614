"""Workers and server are killed while subtasks wait: no answer is lost or repeated."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from uuid import uuid4

import httpx
import pytest
from pydantic import JsonValue

from parallelizework.client import Client, WaitingSubtask
from tests.faults.site import Site, site, together
from tests.faults.test_redrives import (
    kill_everything,
    kill_the_server,
    kill_the_workers,
)
from tests.integration.fan_outs.answered import LINES
from tests.integration.processes import eventually

pytestmark = pytest.mark.timeout(300)
FAN_OUTS = "tests.integration.fan_outs.answered"
TARGETS = [f"{FAN_OUTS}:answered", f"{FAN_OUTS}:answered_sharded"]
COUNT = 150
KILLS = [kill_the_workers, kill_the_server, kill_everything]
OK, CONFLICT, GONE = 200, 409, 410


def stop_and_start_the_workers(system: Site) -> None:
    together(worker.stop for worker in system.workers)
    together(worker.start for worker in system.workers)


def code_of(system: Site, key: str, value: JsonValue) -> int:
    """Answer, again and again until the server answers; return the status."""
    url = f"{system.ingress}/restate/call/FanOutAnswers/{key}/succeed"
    deadline = time.monotonic() + 120
    while True:
        try:
            answer = httpx.post(url, json=value, timeout=10)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            if answer.status_code in (OK, CONFLICT, GONE):
                return answer.status_code
        assert time.monotonic() < deadline, "no answer in two minutes"


@pytest.mark.parametrize(
    ("fan_out", "kill"),
    [
        *(("Answered", kill) for kill in [*KILLS, stop_and_start_the_workers]),
        ("AnsweredSharded", kill_everything),
    ],
)
def test_each_subtask_has_the_answer_that_was_accepted(
    tmp_path: Path, fan_out: str, kill: Callable[[Site], None]
) -> None:
    task: JsonValue = {"key": uuid4().hex, "count": COUNT}

    with (
        site(tmp_path, TARGETS) as system,
        Client(system.ingress, system.admin) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        run = client.submit(fan_out, task)
        eventually(lambda: len(run.waiting()) == COUNT)
        waiting = list(run.waiting())

        def answered(at: int) -> int:
            """Send two different answers; return the accepted one."""
            values = [at, at + COUNT]
            codes = [code_of(system, waiting[at].key, [value]) for value in values]
            assert sorted(codes) == [OK, CONFLICT]
            return values[codes.index(OK)]

        answering = pool.map(answered, range(COUNT))
        kill(system)
        kill(system)
        accepted = list(answering)
        result = run.result(120)

    assert isinstance(result, list)
    assert result == accepted
    assert len(LINES.of(str(task["key"]))) >= COUNT


@pytest.mark.parametrize("kill", KILLS)
def test_an_answer_is_accepted_or_the_subtask_times_out_but_never_both(
    tmp_path: Path, kill: Callable[[Site], None]
) -> None:
    within = 6.0
    policy: JsonValue = {"tolerated_failure_percentage": 100}
    task: JsonValue = {
        "key": uuid4().hex,
        "count": COUNT,
        "within": within,
        "policy": policy,
    }
    random = Random(7)

    with (
        site(tmp_path, TARGETS) as system,
        Client(system.ingress, system.admin) as client,
        ThreadPoolExecutor(32) as pool,
    ):
        run = client.submit("Answered", task)
        eventually(lambda: len(run.waiting()) == COUNT)
        waiting = list(run.waiting())
        end = time.monotonic() + within

        def answered(subtask: WaitingSubtask, before: float) -> int:
            time.sleep(max(0.0, end - time.monotonic() - before))
            return code_of(system, subtask.key, [subtask.index])

        times = [random.uniform(-0.5, 3) for _ in waiting]
        answering = pool.map(answered, waiting, times)
        time.sleep(within / 2)
        kill(system)
        codes = list(answering)
        result = run.result(120)

    assert set(codes) <= {OK, GONE}
    assert result == [at for at, code in enumerate(codes) if code == OK]
