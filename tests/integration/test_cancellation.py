"""Cancelled and paused runs: a cancellation reaches all that a run has called."""

from typing import Any

import httpx
import pytest

from .conftest import Server, error
from .processes import LONG, eventually


def test_cancelling_a_run_cancels_the_calls_of_its_subtasks(
    server: Server, key: str
) -> None:
    task: dict[str, Any] = {"key": key, "count": 3, "good": []}
    run = server.send("Grandparent", task)["invocationId"]
    eventually(lambda: server.executions(key) == 3)

    server.cancel(run)

    assert server.attach(run).status_code == 409
    left = "select target from sys_invocation where status != 'completed'"
    targets = ("Grandparent/%", "Trials/%")
    for target in targets:
        eventually(lambda t=target: not server.query(f"{left} and target like '{t}'"))
    eventually(lambda: server.executions(f"{key}-cancelled") == 3)


def paused_below(run: str) -> str:
    """Return the SQL for the paused invocations of a run."""
    return f"""
        select paused.id from sys_invocation paused
        left join sys_invocation caller on paused.invoked_by_id = caller.id
        where paused.status = 'paused'
        and (paused.invoked_by_id = '{run}' or caller.invoked_by_id = '{run}')
    """


def test_resuming_a_subtask_does_not_execute_the_others_again(
    server: Server, key: str
) -> None:
    run = server.send("Pausing", {"key": key})["invocationId"]
    eventually(lambda: bool(server.query(paused_below(run))))
    server.repair(f"{key}-b")
    for subtask in server.query(paused_below(run)):
        url = f"{server.admin}/invocations/{subtask['id']}/resume"
        httpx.patch(url, timeout=LONG).raise_for_status()

    assert server.attach(run).json() == [1, 3, 1]


def test_a_run_with_a_paused_subtask_can_be_cancelled(server: Server, key: str) -> None:
    run = server.send("Pausing", {"key": key})["invocationId"]
    eventually(lambda: bool(server.query(paused_below(run))))

    server.cancel(run)

    assert server.attach(run).status_code == 409
    server.wait_until_gone(run)


def test_a_run_fails_when_one_of_its_shards_is_cancelled_by_hand(
    server: Server, key: str
) -> None:
    task: dict[str, Any] = {"key": key, "count": 4, "good": []}
    run = server.send("TrialsSharded", task)["invocationId"]
    eventually(lambda: server.executions(key) == 8)
    shard = server.query(
        f"select id from sys_invocation where invoked_by_id = '{run}' limit 1"
    )[0]["id"]

    server.cancel(shard)

    answer = server.attach(run)
    assert answer.status_code == 409
    assert error(answer) == "TrialsSharded/runShard was cancelled"
    server.wait_until_gone(run)


def test_a_run_can_be_cancelled_while_it_cancels_its_subtasks(
    server: Server, key: str
) -> None:
    task = {"key": key, "count": 3, "free": 1}
    run = server.send("Clingers", task)["invocationId"]
    ending = f"""
        select id from sys_journal where id = '{run}' and entry_type like '%Signal%'
    """
    eventually(lambda: bool(server.query(ending)))

    server.cancel(run)
    server.repair(key)

    assert server.attach(run).status_code == 409


@pytest.mark.parametrize("batch", [1, 4])
def test_a_subtask_that_raises_another_error_when_cancelled_is_cancelled(
    server: Server, key: str, batch: int
) -> None:
    policy = {"min_successful": 1, "max_items_per_batch": batch}

    answer = server.run("Rough", {"key": key, "how": "stubborn", "policy": policy})

    assert answer.json() == [0.5]
