"""Workers and server are killed while events are joined: each counts exactly once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.site import Site, site
from tests.faults.test_redrives import (
    kill_everything,
    kill_the_server,
    kill_the_workers,
)
from tests.integration.processes import eventually

pytestmark = pytest.mark.timeout(300)
TARGETS = ["tests.integration.joins:received", "tests.integration.joins:three"]
KEYS = [f"order-{number}" for number in range(8)]
EVENTS = 60  # of each key
IN_A_ROUND = 3
RUNS = len(KEYS) * EVENTS // IN_A_ROUND


def called(system: Site, path: str, **more: Any) -> Any:
    """The answer of a request, which is sent again until there is one."""
    answers: list[Any] = []

    def is_answered() -> bool:
        try:
            url = f"{system.ingress}/restate/call/{path}"
            answer = system.http.post(url, timeout=30, **more)
        except httpx.TransportError:
            return False
        if answer.is_success:
            answers.append(answer.json())
        return answer.is_success

    eventually(is_answered)
    return answers[0]


def add(system: Site, event: tuple[str, int]) -> None:
    key, number = event
    called(system, f"Three/{key}/add", json={"id": f"{key}-{number}"})


def runs_of(system: Site, key: str) -> list[dict[str, Any]]:
    return called(system, f"Three/{key}/get")["runs"]


def are_started(system: Site) -> bool:
    runs = [run for key in KEYS for run in runs_of(system, key)]
    return len(runs) == RUNS and all(run["run"] for run in runs)


def runs_in_restate(system: Site) -> set[str]:
    sql = (
        "select id from sys_invocation where target_service_name = 'Received' "
        "and target_handler_name = 'run'"
    )
    answer = system.http.post(
        f"{system.admin}/query",
        json={"query": sql},
        headers={"accept": "application/json"},
        timeout=30,
    )
    return {row["id"] for row in answer.raise_for_status().json()["rows"]}


@pytest.mark.parametrize("kill", [kill_the_workers, kill_the_server, kill_everything])
def test_each_event_is_in_one_run_in_spite_of_kills(
    tmp_path: Path, kill: Callable[[Site], None]
) -> None:
    events = [(key, number) for number in range(EVENTS) for key in KEYS]
    with site(tmp_path, TARGETS) as system, ThreadPoolExecutor(16) as pool:
        third = len(events) // 3
        for start in range(0, len(events), third):
            sending = [
                pool.submit(add, system, each) for each in events[start : start + third]
            ]
            eventually(lambda s=sending: sum(e.done() for e in s) > third // 4)
            kill(system)
            for each in sending:
                each.result()
        eventually(partial(are_started, system))

        runs = [run["run"] for key in KEYS for run in runs_of(system, key)]
        url = f"{system.ingress}/restate/attach"
        results = [system.http.get(f"{url}/{run}", timeout=60).json() for run in runs]
        in_restate = runs_in_restate(system)

    assert in_restate == set(runs)
    assert len(in_restate) == RUNS
    assert all(result["reason"] == "ENOUGH" for result in results)
    joined = Counter(id_ for result in results for id_ in result["ids"])
    assert joined == Counter(f"{key}-{number}" for key, number in events)
