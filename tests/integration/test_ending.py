"""How runs end, and pause, when something is used up, late, or never answers."""

import time
from typing import Any

import pytest

from parallelizework.client import Client, Progress

from .conftest import HTTP, Server
from .processes import eventually


def client_of(server: Server) -> Client:
    return Client(server.ingress, server.admin)


def statuses(server: Server, run: str, handler: str) -> list[str]:
    rows = server.query(
        "select status from sys_invocation where target_handler_name = "
        f"'{handler}' and invoked_by_id = '{run}'"
    )
    return [row["status"] for row in rows]


def test_an_aggregate_that_fails_too_often_pauses_and_keeps_the_values(
    server: Server, key: str
) -> None:
    run = server.send("AggregatePausing", {"key": key})["invocationId"]
    eventually(lambda: statuses(server, run, "awaitResume") == ["paused"])

    server.repair(key)
    with client_of(server) as client:
        client.attach("AggregatePausing", run).resume()

    assert server.attach(run).json() == [1, 1, 1]


def test_an_aggregate_that_fails_again_after_a_resume_pauses_again(
    server: Server, key: str
) -> None:
    run = server.send("AggregatePausing", {"key": key})["invocationId"]
    eventually(lambda: statuses(server, run, "awaitResume") == ["paused"])
    with client_of(server) as client:
        client.attach("AggregatePausing", run).resume()

        eventually(
            lambda: (
                sorted(statuses(server, run, "awaitResume"))
                in (["paused"], ["completed", "paused"])
            )
        )
        server.cancel(run)

    assert server.attach(run).status_code == 409


def test_a_subtask_that_waits_an_hour_for_its_next_attempt_is_suspended(
    server: Server, key: str
) -> None:
    run = server.send("RetriedInAnHour", {"key": key})["invocationId"]

    eventually(lambda: statuses(server, run, "runSubtask") == ["suspended"] * 3)

    server.cancel(run)
    assert server.attach(run).status_code == 409


def final_progress(server: Server, run: str) -> dict[str, Any]:
    """Return the response of FanOutProgress, without the additions of a client."""
    url = f"{server.ingress}/FanOutProgress/{run}/get"
    progress: dict[str, Any] = {}

    def ended() -> bool:
        answer = HTTP.get(url)
        progress.update(answer.json())
        return answer.is_success and progress["state"] != "running"

    eventually(ended)
    return progress


def test_the_progress_of_a_failed_run_with_shards_is_failed(
    server: Server, key: str
) -> None:
    task = {"key": key, "count": 20, "bad": [19], "pause": 0.05}
    policy = {"max_concurrency": 4}
    run = server.send("TrialsSharded", task | {"policy": policy})["invocationId"]

    assert server.attach(run).status_code == 418
    assert final_progress(server, run)["state"] == "failed"


def test_progress_counts_never_decrease_and_agree_with_the_executions(
    server: Server, key: str
) -> None:
    count, bad = 1_500, 1_200
    task = {"key": key, "count": count, "bad": [bad]}
    run = server.send("Trials", task)["invocationId"]
    seen: list[Progress] = []
    with client_of(server) as client:
        known = client.attach("Trials", run)
        while not seen or not seen[-1].ended:
            seen.append(known.progress())
            time.sleep(0.05)

    last = final_progress(server, run)
    succeeded = [each.succeeded for each in seen]
    assert succeeded == sorted(succeeded)
    assert last["succeeded"] >= succeeded[-1]
    assert last["succeeded"] < server.executions(key) <= count
    assert last["failed"] == 1
    assert last["succeeded"] + last["failed"] + last["cancelled"] == count


@pytest.mark.once
@pytest.mark.parametrize(
    ("service", "names"),
    [
        ("TrialsSharded", ["run", "runSegment", "runShard", "runShards"]),
        ("FanOutProgress", ["update", "forget"]),
        ("FanOutRedrive", ["add", "keep", "forget", "claim", "release", "hold"]),
    ],
)
def test_the_server_retries_coordinators_and_progress_without_limit(
    server: Server, service: str, names: list[str]
) -> None:
    url = f"{server.admin}/services/{service}"
    handlers = HTTP.get(url).json()["handlers"]
    attempts = {each["name"]: each["retry_policy"]["max_attempts"] for each in handlers}

    assert [attempts[name] for name in names] == [2**31 - 1] * len(names)
