"""`redrive`, `settle` and `subtasks` on the command line."""

import json
from typing import Any

import pytest

from .conftest import Server
from .processes import eventually
from .test_cli import Command
from .test_cli import command as command  # noqa: PLC0414 - a fixture
from .test_progress import progress

pytestmark = pytest.mark.once


def failed(server: Server, key: str, **task: Any) -> str:
    """A run with failures; return its id."""
    answer = server.run("Redriven", {"key": key, "count": 5, "bad": [1, 3]} | task)
    return answer.headers["x-restate-id"]


def test_redrive_prints_the_result(server: Server, key: str, command: Command) -> None:
    run = failed(server, key)
    server.repair(key)

    completed = command("redrive", run)

    assert completed.returncode == 0
    assert json.loads(completed.stdout) == [0, 1, 2, 3, 4]
    assert completed.stderr.startswith("redrive inv_")


def test_redrive_prints_the_id_with_detach(
    server: Server, key: str, command: Command
) -> None:
    run = failed(server, key)
    server.repair(key)

    started = json.loads(command("redrive", run, "--detach", "--json").stdout)
    result = command("result", started["run"])

    assert started["state"] == "running"
    assert json.loads(result.stdout) == [0, 1, 2, 3, 4]


def test_redrive_executes_some_subtasks_only(
    server: Server, key: str, command: Command
) -> None:
    run = failed(server, key, policy={"tolerated_failure_count": 2})
    server.repair(key)

    completed = command("redrive", run, "--index", "3")

    assert json.loads(completed.stdout) == [0, 2, 3, 4]


def test_redrive_has_a_policy_of_its_own(
    server: Server, key: str, command: Command
) -> None:
    run = failed(server, key)

    completed = command("redrive", run, "--policy", '{"tolerated_failure_count": 2}')

    assert json.loads(completed.stdout) == [0, 2, 4]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--index", "one", "--index 'one': pass indexes such as 17,99"),
        ("--index", "", "--index ''"),
        ("--index", "3/", "--index '3/'"),
        ("--policy", "{", "--policy {"),
        ("--policy", '{"polcy": 1}', "polcy: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    command: Command, option: str, value: str, message: str
) -> None:
    completed = command("redrive", "inv_1", option, value)

    assert completed.returncode == 2
    assert message in completed.stderr


def test_a_run_that_succeeded_is_refused_with_exit_code_2(
    server: Server, key: str, command: Command
) -> None:
    run = failed(server, key, bad=[])

    completed = command("redrive", run)

    assert completed.returncode == 2
    message = f"parallelizework: {run} has succeeded: there is nothing to redrive\n"
    assert completed.stderr == message


def test_an_unknown_run_is_refused(command: Command) -> None:
    completed = command("redrive", "inv_1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")

    assert completed.returncode == 1
    assert "no run" in completed.stderr


def test_a_held_run_is_shown_redriven_and_settled(
    server: Server, key: str, command: Command
) -> None:
    policy = {"hold": 3_600}
    task = {"key": key, "count": 5, "bad": [1, 3], "repairs": 2, "policy": policy}
    run = server.send("Redriven", task)["invocationId"]

    def is_held() -> bool:
        return progress(server, run).get("state") == "held"

    eventually(is_held)
    listed = command("list")
    assert f"{run} waits for `parallelizework redrive` or `settle`" in listed.stderr
    [line] = [line for line in listed.stdout.splitlines() if line.startswith(run)]
    assert " held " in line

    redriven = command("redrive", run, "--detach")
    assert redriven.stdout == f"{run}\n"
    eventually(is_held)
    settled = command("settle", run)
    result = command("result", run)

    assert settled.stderr == f"{run} ends now\n"
    assert result.returncode == 1
    assert "1 is bad" in result.stderr or "3 is bad" in result.stderr


def test_settle_refuses_a_run_that_is_not_held(
    server: Server, key: str, command: Command
) -> None:
    completed = command("settle", failed(server, key))

    assert completed.returncode == 2
    assert "is not held" in completed.stderr


def test_list_says_which_run_a_redrive_redrives(
    server: Server, key: str, command: Command
) -> None:
    run = failed(server, key)
    server.repair(key)
    redrive = json.loads(command("redrive", run, "--json").stdout)["run"]

    listed = command("list", "--limit", "100")

    assert f"{redrive} is a redrive of {run}" in listed.stderr


def test_subtasks_lists_all_subtasks_of_a_run_that_ended_with_failures(
    server: Server, key: str, command: Command
) -> None:
    run = failed(server, key, policy={"tolerated_failure_count": 2})

    listed = json.loads(command("subtasks", run, "--json").stdout)
    only_failed = json.loads(
        command("subtasks", run, "--status", "failed", "--json").stdout
    )

    statuses = [(each["index"], each["status"]) for each in listed]
    assert statuses == [
        (0, "succeeded"),
        (1, "failed"),
        (2, "succeeded"),
        (3, "failed"),
        (4, "succeeded"),
    ]
    assert [each["index"] for each in only_failed] == [1, 3]
    assert listed[1]["error"] == "1 is bad"
