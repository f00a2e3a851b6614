"""Workers and server are killed while events are joined, and while promises wait."""

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
MODULE = "tests.integration.joins"
TARGETS = [f"{MODULE}:received", f"{MODULE}:three", f"{MODULE}:lasting"]
KEYS = [f"order-{number}" for number in range(8)]
EVENTS = 60  # of each key
IN_A_ROUND = 3
PROMISES = [(key, number) for key in KEYS for number in range(10)]  # the waiters
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


kills = pytest.mark.parametrize(
    "kill", [kill_the_workers, kill_the_server, kill_everything]
)


@kills
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


def waiter(system: Site, key: str, number: int) -> str:
    """The id of an invocation that waits for a promise. It is started exactly once."""
    path = f"{system.ingress}/restate/send/Lasting/{key}/await"
    headers = {"idempotency-key": f"{key}-{number}"}
    ids: list[str] = []

    def is_sent() -> bool:
        try:
            answer = system.http.post(path, headers=headers, timeout=30)
        except httpx.TransportError:
            return False
        if answer.is_success:
            ids.append(answer.json()["invocationId"])
        return answer.is_success

    eventually(is_sent)
    return ids[0]


@kills
def test_each_waiter_of_a_promise_receives_its_value_in_spite_of_kills(
    tmp_path: Path, kill: Callable[[Site], None]
) -> None:
    with site(tmp_path, TARGETS) as system, ThreadPoolExecutor(16) as pool:
        started = [pool.submit(waiter, system, *each) for each in PROMISES]
        waiters = {e: s.result() for e, s in zip(PROMISES, started, strict=True)}
        kill(system)
        settling = [
            pool.submit(called, system, f"Lasting/{key}/resolve", json=value)
            for key in KEYS
            for value in (f"first {key}", f"second {key}")
        ]
        kill(system)
        settled = [each.result()["value"] for each in settling]
        url = f"{system.ingress}/restate/attach"
        values = {
            each: system.http.get(f"{url}/{id_}", timeout=60).json()
            for each, id_ in waiters.items()
        }

    assert settled[::2] == settled[1::2]  # both answers report the same value
    decided = dict(zip(KEYS, settled[::2], strict=True))
    assert values == {(key, number): decided[key] for key, number in PROMISES}
