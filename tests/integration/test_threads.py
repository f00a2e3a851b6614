"""Sync functions share threads; a hanging function does not block the others."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import Server
from .fan_outs.ledger import Ledger, repair
from .processes import LONG, eventually, running
from .test_dev import FAN_OUTS
from .test_serve import served


def ran(server: Server, service: str, **task: Any) -> dict[str, Any]:
    answer = server.run(service, task)
    server.wait_until_gone(answer.headers["x-restate-id"])
    return answer.raise_for_status().json()


@pytest.mark.parametrize("batch", [1, 10])
def test_hanging_subtasks_do_not_block_the_threads_of_the_others(
    server: Server, key: str, batch: int
) -> None:
    policy = {"max_items_per_batch": batch}
    first = ran(server, "Hung", key=key, hung=5, free=5, policy=policy)
    second = ran(server, "Hung", key=key, free=20, policy=policy)
    server.repair(key)

    assert first["statuses"] == ["timed_out"] * 5
    assert first["messages"] == ["an attempt took longer than 0.3 s"]
    assert first["values"] == [5, 6, 7, 8, 9]
    assert second["values"] == list(range(20))


@pytest.mark.parametrize("batch", [1, 10])
def test_a_run_ends_when_its_subtasks_hang_in_all_threads(
    server: Server, key: str, batch: int
) -> None:
    policy = {"max_items_per_batch": batch}
    hung = ran(server, "HungForEver", key=key, hung=10, policy=policy)
    other = server.run("HungForEver", {"key": key})  # its split and aggregate
    server.repair(key)
    repaired = server.run("HungForEver", {"key": key, "free": 5}).json()

    assert hung["statuses"] == ["timed_out"] * 10
    assert any("to get a thread" in message for message in hung["messages"])
    assert other.json()["values"] == []
    assert repaired["values"] == list(range(5))


@pytest.mark.parametrize("batch", [1, 10])
def test_a_subtask_that_waits_for_a_thread_times_out(
    server: Server, key: str, batch: int
) -> None:
    policy = {"max_items_per_batch": batch, "subtask_timeout": 1}
    policy |= {"attempt_timeout": 1_000}
    got = ran(server, "HungForEver", key=key, hung=10, policy=policy)
    server.repair(key)

    assert got["statuses"] == ["timed_out"] * 10
    assert got["messages"] == ["it took longer than 1 s"]


@pytest.mark.parametrize("batch", [1, 10])
def test_a_deadline_does_not_wait_for_a_thread(
    server: Server, key: str, batch: int
) -> None:
    policy = {"max_items_per_batch": batch, "deadline": 1.5, "on_deadline": "answer"}
    policy |= {"attempt_timeout": 1_000}
    got = ran(server, "HungForEver", key=key, hung=10, policy=policy)
    server.repair(key)

    assert got["reason"] == "DEADLINE_EXCEEDED"


def test_subtasks_that_wait_for_a_thread_can_be_cancelled(
    server: Server, key: str
) -> None:
    policy = {"attempt_timeout": 1_000}
    task = {"key": key, "hung": 10, "policy": policy}
    run = server.send("HungForEver", task)["invocationId"]
    began = f"select id from sys_invocation where invoked_by_id = '{run}'"
    eventually(lambda: len(server.query(began)) == 10)

    server.cancel(run)

    assert server.attach(run).status_code == 409
    server.wait_until_gone(run)
    server.repair(key)


@pytest.mark.parametrize("service", ["Hung", "HungAsync"])
def test_a_subtask_that_waits_for_its_slot_in_a_batch_does_not_time_out(
    server: Server, key: str, service: str
) -> None:
    policy = {
        "max_items_per_batch": 10,
        "max_concurrency": 1,
        "subtask_timeout": 1.5,
        "attempt_timeout": None,
    }
    got = ran(server, service, key=key, hung=1, free=9, policy=policy)
    server.repair(key)

    assert got["statuses"] == ["timed_out"]
    assert got["values"] == list(range(1, 10))


@pytest.mark.parametrize(
    ("policy", "values"),
    [
        ({"race": True}, [0]),
        ({"min_successful": 1}, [0]),
        ({"min_successful": 5}, [0, 3, 6, 9, 12]),
    ],
)
def test_a_batch_returns_no_more_values_than_the_completion_rule_needs(
    server: Server, policy: dict[str, Any], values: list[int]
) -> None:
    policy |= {"max_items_per_batch": 100}
    answer = server.run("PartlyKnown", {"count": 65, "policy": policy})

    assert answer.json()["values"] == values


def test_subtasks_of_a_batch_that_are_done_already_count_for_a_quorum(
    server: Server,
) -> None:
    policy = {"min_successful": 30, "max_items_per_batch": 100}
    answer = server.run("PartlyKnown", {"count": 65, "policy": policy})

    assert len(answer.json()["values"]) == 30


def test_a_sync_function_in_a_batch_knows_its_invocation(server: Server) -> None:
    answer = server.run("Whose", 50)

    [invocation] = set(answer.json())
    assert invocation.startswith("inv_")
    assert len(answer.json()) == 50


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_that_hang_do_not_delay_the_stop_of_a_worker(
    tmp_path: Path, key: str, workers: int
) -> None:
    target = f"{FAN_OUTS}.threads:hung"
    with served(tmp_path, target, grace=0.5, workers=workers) as (worker, ingress):
        send = f"{ingress}/restate/send/Hung/run"
        task = {"key": key, "hung": 4, "policy": {"attempt_timeout": 1_000}}
        run = httpx.post(send, json=task, timeout=LONG).json()["invocationId"]
        eventually(lambda: Ledger(f"{key}-began").size == 4)

        worker.process.terminate()

        assert worker.ended() == 0
        repair(key)
        with running(*worker.arguments):
            attach = f"{ingress}/restate/attach/{run}"
            got = httpx.get(attach, timeout=LONG).json()
            assert got["values"] == list(range(4))
