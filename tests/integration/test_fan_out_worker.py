"""The wire contract of FanOutWorker, and what it says to bad input."""

import subprocess

import httpx
import pytest

from .conftest import Server
from .processes import LONG

CHORES = '{"description": "get out of bed,shower,make coffee,have breakfast"}'
DONE = (
    '{"description": "get out of bed: DONE,shower: DONE,make coffee: DONE,'
    'have breakfast: DONE"}'
)


def curl(server: Server, body: str) -> tuple[int, str]:
    """Send a task with curl; return the status and the body."""
    command = ["curl", "--silent", "--max-time", "60", "--write-out", "\n%{http_code}"]
    command += [f"{server.ingress}/FanOutWorker/run", "--json", body]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text, _, status = answer.rpartition("\n")
    return int(status), text


def test_curl_receives_the_answer_of_the_contract_byte_for_byte(server: Server) -> None:
    assert curl(server, CHORES) == (200, DONE)


def test_one_subtask_has_the_same_form_of_result(server: Server) -> None:
    assert curl(server, '{"description": "shower"}') == (
        200,
        '{"description": "shower: DONE"}',
    )


@pytest.mark.once
def test_names_are_trimmed_and_blanks_are_dropped(server: Server) -> None:
    status, text = curl(server, '{"description": " a ,, b,\\t,"}')

    assert (status, text) == (200, '{"description": "a: DONE,b: DONE"}')


@pytest.mark.once
def test_equal_subtasks_are_all_executed(server: Server) -> None:
    assert curl(server, '{"description": "é,é"}') == (
        200,
        '{"description": "é: DONE,é: DONE"}',
    )


@pytest.mark.once
@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('{"desc": 1}', "description: Field required"),
        ('{"description": 3}', "description: Input should be a valid string"),
        ('{"description": null}', "description: Input should be a valid string"),
        ('{"description": "a"', "Invalid JSON"),
        ('["description"]', "Input should be an object"),
        ('{"description": ""}', "contains no name"),
        ('{"description": " , ,,"}', "contains no name"),
        ('"\\ud800"', "Invalid JSON"),
    ],
)
def test_a_bad_task_is_a_400_with_the_expected_form(
    server: Server, body: str, complaint: str
) -> None:
    status, text = curl(server, body)

    assert status == 400
    assert complaint in text
    assert r"expected {\"description\": string, ...}" in text


def test_a_bad_task_leaves_no_invocation_running(server: Server) -> None:
    answer = server.run("FanOutWorker", {"desc": 1})

    server.wait_until_gone(answer.headers["x-restate-id"])
    [run] = server.family(answer.headers["x-restate-id"])
    assert run["completion_result"] == "failure"


def test_a_single_subtask_can_be_called_directly(server: Server) -> None:
    command = ["curl", "--silent", f"{server.ingress}/FanOutWorker/runSubtask"]
    command += ["--json", '{"description": "shower"}']

    answer = subprocess.run(command, check=True, capture_output=True, text=True)

    assert answer.stdout == '{"description":"shower: DONE"}'


def test_tolerated_failures_are_in_the_result(server: Server) -> None:
    policy = (
        '{"tolerated_failure_percentage": 100, "attempt_timeout": 0.000001, '
        '"max_attempts": 2}'
    )

    answer = curl(server, f'{{"description": "shower", "policy": {policy}}}')

    assert answer == (
        200,
        '{"description": "", "failures": [{"status": "timed_out", "message": '
        '"an attempt took longer than 1e-06 s", "code": 504, "attempts": 2, "index": '
        '0, "shard": null, "subtask": {"description": "shower"}}]}',
    )


def test_a_request_may_ask_for_the_first_success_only(server: Server) -> None:
    chores = '{"description": "a,b,c,d", "policy": {"min_successful": 1}}'

    status, text = curl(server, chores)

    assert status == 200
    assert text in [f'{{"description": "{name}: DONE"}}' for name in "abcd"]


@pytest.mark.once
def test_the_policy_is_in_the_openapi_schema(server: Server) -> None:
    openapi = httpx.get(
        f"{server.admin}/services/FanOutWorker/openapi", timeout=LONG
    ).json()

    task = openapi["components"]["schemas"]["runRequest"]
    schema = "#/components/schemas/runRequest/$defs/Policy"
    assert task["properties"]["policy"]["$ref"] == schema
    policy = task["$defs"]["Policy"]["properties"]
    assert policy["tolerated_failure_percentage"]["anyOf"][0]["maximum"] == 100
