"""The progress of a run, as any program can read it during the run."""

import os
import signal
from typing import Any

import httpx
import pytest

from parallelizework.client import Client
from parallelizework.local.dev import local
from parallelizework.local.ports import Ports
from parallelizework.local.worker import serve

from .conftest import GIVEN, HTTP, Server
from .processes import LONG, eventually, patiently
from .test_dev import FAN_OUTS

Counts = tuple[int, int, int, int]
TIMES = {"deadline", "subtask_timeout"}


def progress(server: Server, run: str) -> dict[str, Any]:
    """Return the progress of a run; empty before the first update.

    A run that succeeded within half a second has no record: a client reads its progress
    from Restate.
    """
    answer = HTTP.get(f"{server.ingress}/FanOutProgress/{run}/get")
    if answer.is_success:
        return answer.json()
    ended = f"select completion_result from sys_invocation where id = '{run}'"
    if {"completion_result": "success"} not in server.query(ended):
        return {}
    with Client(server.ingress, server.admin) as client:
        return client.attach("", run).progress().model_dump(mode="json")


def ended(server: Server, run: str) -> dict[str, Any]:
    eventually(lambda: progress(server, run).get("state", "running") != "running")
    return progress(server, run)


def counts(shown: dict[str, Any]) -> Counts:
    return (
        shown["succeeded"],
        shown["failed"],
        shown["timed_out"],
        shown["cancelled"],
    )


def test_progress_of_an_ended_run_has_its_state(server: Server) -> None:
    run = server.send("Squares", 3)["invocationId"]

    shown = ended(server, run)

    assert shown["run"] == run
    assert shown["fan_out"] == "Squares"
    assert shown["state"] == "succeeded"
    assert counts(shown) == (3, 0, 0, 0)
    assert (shown["total"], shown["percent"]) == (3, 100.0)
    assert (shown["completion_reason"], shown["error"]) == ("ALL_COMPLETED", None)
    assert shown["started"] <= shown["updated"]


@pytest.mark.parametrize("service", ["Trials", "TrialsCombined"])
def test_ended_subtasks_are_counted_while_others_execute(
    server: Server, key: str, service: str
) -> None:
    policy = {"tolerated_failure_percentage": 100, "max_concurrency": 100}
    task = {"key": key, "count": 100, "good": list(range(90)), "bad": [92, 95]}
    run = server.send(service, task | {"policy": policy})["invocationId"]

    in_hand = f"""
        select c.id from sys_invocation c join sys_invocation p
        on c.invoked_by_id = p.id
        where c.target like '%/runSubtask' and c.status != 'completed'
        and (p.id = '{run}' or p.invoked_by_id = '{run}')
    """
    eventually(lambda: server.run("Executions", {"key": key}).json() == 100)
    eventually(lambda: len(server.query(in_hand)) == 8)
    eventually(lambda: progress(server, run).get("succeeded", 0) >= 60)
    shown = progress(server, run)
    server.cancel(run)
    last = ended(server, run)

    assert shown["state"] == "running"
    assert shown["total"] == 100
    assert counts(last) == (90, 2, 0, 8)
    assert (last["state"], last["completion_reason"]) == ("cancelled", "CANCELLED")


def test_progress_shows_each_ended_subtask_of_a_small_run(
    server: Server, key: str
) -> None:
    """The next one ends when the last one has been seen."""
    task = {"key": key, "count": 8, "free": 8}
    run = server.send("Stepping", task)["invocationId"]

    for number in range(1, 9):
        server.repair(key)
        eventually(lambda n=number: progress(server, run).get("succeeded") == n)

    assert ended(server, run)["state"] == "succeeded"


@pytest.mark.parametrize(
    ("policy", "task", "expected", "state", "reason"),
    [
        (
            {"tolerated_failure_count": 1},
            {"bad": [1]},
            (11, 1, 0, 0),
            "succeeded",
            "ALL_COMPLETED",
        ),
        (
            {"min_successful": 2},
            {"good": [1, 4], "bad": [7]},
            None,
            "succeeded",
            "MIN_SUCCESSFUL_REACHED",
        ),
        (
            {},
            {"good": [], "bad": [7]},
            (0, 1, 0, 11),
            "failed",
            "FAILURE_TOLERANCE_EXCEEDED",
        ),
        ({"race": True}, {"good": [3]}, (1, 0, 0, 11), "succeeded", "FIRST_SETTLED"),
        ({"deadline": 1}, {"good": [3]}, (1, 0, 0, 11), "failed", "DEADLINE_EXCEEDED"),
        (
            {"subtask_timeout": 1, "tolerated_failure_percentage": 100},
            {"good": [3]},
            (1, 0, 11, 0),
            "succeeded",
            "ALL_COMPLETED",
        ),
    ],
)
def test_progress_at_the_end_has_a_reason_and_each_outcome(  # noqa: PLR0913, PLR0917
    server: Server,
    key: str,
    policy: dict[str, Any],
    task: dict[str, Any],
    expected: Counts | None,
    state: str,
    reason: str,
) -> None:
    def outcome(seconds: float) -> dict[str, Any]:
        bounds = {name: policy[name] * seconds for name in TIMES & policy.keys()}
        more = {"key": key, "count": 12, "policy": policy | bounds}
        return ended(server, server.send("Trials", task | more)["invocationId"])

    last = patiently(outcome, lambda last: expected in (None, counts(last)))

    assert (last["state"], last["completion_reason"]) == (state, reason)
    assert sum(counts(last)) == 12
    assert expected is None or counts(last) == expected


def test_failures_of_a_run_can_be_read(server: Server, key: str) -> None:
    policy = {"tolerated_failure_percentage": 100}
    task = {"key": key, "count": 5, "bad": [1, 3], "policy": policy}
    run = server.send("Trials", task)["invocationId"]
    ended(server, run)

    url = f"{server.ingress}/FanOutProgress/{run}/failures"
    failures = httpx.get(url, timeout=LONG).json()

    assert [(f["index"], f["message"], f["attempts"]) for f in failures] == [
        (1, "1 is bad", 1),
        (3, "3 is bad", 1),
    ]


def test_a_run_whose_split_fails_is_reported_as_failed(
    server: Server, key: str
) -> None:
    run = server.send("Splitting", {"key": key, "fail": "split"})["invocationId"]

    last = ended(server, run)

    assert (last["state"], last["error"]) == ("failed", "this task cannot be split")
    assert (last["total"], last["percent"]) == (None, None)


def test_the_total_of_shards_is_known_when_all_are_expanded(server: Server) -> None:
    run = server.send("Combined", 305)["invocationId"]

    assert ended(server, run)["total"] == 305


def test_a_run_that_succeeds_soon_has_no_record(server: Server) -> None:
    """It sends nothing: its progress is what Restate itself knows."""
    run = server.send("Squares", 2)["invocationId"]
    server.attach(run).raise_for_status()

    sent = server.query(
        f"select id from sys_journal where id = '{run}' "
        "and entry_type like '%OneWayCall%'"
    )
    took = server.query(
        "select modified_at - created_at < interval '400 milliseconds' as soon "
        f"from sys_invocation where id = '{run}'"
    )

    assert not (took[0]["soon"] and sent)
    assert counts(progress(server, run)) == (2, 0, 0, 0)


@pytest.mark.parametrize("handler", ["get", "failures"])
def test_an_unknown_run_is_a_404(server: Server, handler: str) -> None:
    answer = httpx.get(f"{server.ingress}/FanOutProgress/inv_1/{handler}", timeout=LONG)

    assert answer.status_code == 404
    assert answer.json()["message"].startswith("the run inv_1 is unknown: ")


@pytest.mark.parametrize("handler", ["update", "forget"])
def test_progress_cannot_be_changed_through_the_ingress(
    server: Server, handler: str
) -> None:
    url = f"{server.ingress}/FanOutProgress/inv_1/{handler}"

    assert httpx.post(url, json={}, timeout=LONG).is_client_error


@pytest.mark.skipif(GIVEN, reason="it looks at all that the server knows")
def test_progress_updates_are_few_and_leave_no_invocation(server: Server) -> None:
    run = server.send("Squares", 4_000)["invocationId"]
    ended(server, run)

    targets = f"target like 'FanOutProgress/{run}/%' and target not like '%/forget'"
    left = f"select id from sys_invocation where {targets}"
    eventually(lambda: not server.query(left))
    sent = server.query(
        f"select count(*) as n from sys_journal where id = '{run}' "
        "and entry_type like '%OneWayCall%'"
    )
    assert 1 <= int(sent[0]["n"]) <= 110


def test_progress_of_a_run_is_deleted_after_its_retention(key: str) -> None:
    short = {"PARALLELIZEWORK_PROGRESS_RETENTION": "2"}
    target = f"{FAN_OUTS}.trials:trials"
    with local([target], ports=Ports(0, 0, 0), environment=short) as started:
        server = Server(started.ingress, started.admin)
        task = {"key": key, "count": 3, "bad": [1]}  # a failed run has a record
        run = server.send("Trials", task)["invocationId"]
        ended(server, run)

        eventually(lambda: not progress(server, run))


def test_counts_are_exact_when_the_worker_is_killed_half_way(key: str) -> None:
    target = f"{FAN_OUTS}.trials:trials"
    with local([target], ports=Ports(0, 0, 0)) as started:
        server = Server(started.ingress, started.admin)
        task = {"key": key, "count": 1_500, "bad": [70, 900], "pause": 0.02}
        policy = {"tolerated_failure_count": 2}
        run = server.send("Trials", task | {"policy": policy})["invocationId"]
        eventually(lambda: progress(server, run).get("succeeded", 0) > 400)

        worker = started.processes[1]
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        port = int(started.worker.rpartition(":")[2])
        with serve([target], port, environment=os.environ):
            last = ended(server, run)

    assert counts(last) == (1_498, 2, 0, 0)
    assert last["state"] == "succeeded"
