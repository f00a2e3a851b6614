"""The guarantees of any fan-out, on a real restate-server."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from .conftest import Server
from .processes import LONG, patiently


def test_500_subtasks_return_values_in_the_order_of_the_split(server: Server) -> None:
    answer = server.run("Squares", 500)

    assert answer.json() == [number * number for number in range(500)]


def test_a_run_without_subtasks_returns_an_empty_result(server: Server) -> None:
    assert server.run("Squares", 0).json() == []


def test_two_runs_at_once_return_their_own_results(server: Server) -> None:
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(server.run, "Squares", count) for count in (70, 90)]
        answers = [run.result() for run in runs]

    assert [len(answer.json()) for answer in answers] == [70, 90]


def test_unions_models_and_null_reach_the_functions_unchanged(server: Server) -> None:
    task = [{"radius": 1}, {"width": 1, "height": 2}, None, {"radius": 1}]

    answer = server.run("Shapes", task)

    assert answer.json() == [
        {"radius": 2},
        {"width": 2, "height": 4},
        None,
        {"radius": 2},
    ]


def test_handler_code_may_sleep_and_call_another_fan_out(server: Server) -> None:
    assert server.run("Nested", 4).json() == [0, 0, 1, 0, 1, 4]


def test_a_subtask_that_fails_twice_and_then_succeeds_is_counted_once(
    server: Server, key: str
) -> None:
    answer = server.run("Flaky", {"key": key})

    assert answer.json() == [1, 3, 1]


@pytest.mark.parametrize("service", ["Attempted", "AttemptedBatch"])
def test_all_attempts_of_a_subtask_share_one_key_of_its_own(
    server: Server, key: str, service: str
) -> None:
    first = server.run(service, {"key": key}).json()
    second = server.run(service, {"key": f"{key}-2"}).json()

    assert [(number, executions) for number, _, executions in first] == [
        (1, 1),
        (3, 3),
        (1, 1),
    ]
    assert len({key for _, key, _ in first + second}) == 6


def test_split_and_aggregate_are_journaled_steps(
    server: Server,
) -> None:
    run = server.send("Squares", 2)["invocationId"]

    server.attach(run).raise_for_status()

    steps = f"""
        select name from sys_journal where id = '{run}' and entry_type = 'Command: Run'
        order by index
    """
    assert [row["name"] for row in server.query(steps)] == ["split", "aggregate of 2"]


@pytest.mark.parametrize("service", ["Poison", "PoisonCode"])
def test_a_poison_subtask_fails_its_run_with_index_and_error(
    server: Server, service: str
) -> None:
    answer = server.run(service, 4)

    assert answer.status_code == 500
    message = answer.json()["message"]
    assert message.startswith("subtask 2 failed: ValueError('poison') in poisoned, ")
    assert "(subtask: 2, attempts: " in message


def test_a_terminal_error_fails_the_run_at_once_with_its_status(
    server: Server,
) -> None:
    answer = server.run("Refusing", 4)

    assert answer.status_code == 404
    message = "subtask 2 failed: no such number (subtask: 2, attempts: 1)"
    assert answer.json()["message"] == message


def test_a_failed_run_leaves_no_subtask_running(server: Server) -> None:
    answer = server.run("Refusing", 4)

    server.wait_until_gone(answer.headers["x-restate-id"])


@pytest.mark.parametrize(
    ("fail", "status", "answer"),
    [
        ("split once", 200, "part"),
        ("split", 422, "this task cannot be split"),
        ("split for ever", 500, "OSError('the list of parts is away')"),
    ],
)
def test_an_error_of_split_is_retried_up_to_the_limit_unless_terminal(
    server: Server, key: str, fail: str, status: int, answer: str
) -> None:
    got = server.run("Splitting", {"key": key, "fail": fail})

    assert got.status_code == status
    assert answer in got.text


@pytest.mark.parametrize(
    ("fail", "status", "answer"),
    [
        ("aggregate once", 200, "2"),
        ("aggregate", 422, "these values do not add up"),
    ],
)
def test_an_error_of_aggregate_is_retried_unless_terminal(
    server: Server, key: str, fail: str, status: int, answer: str
) -> None:
    got = server.run("Aggregating", {"key": key, "fail": fail})

    assert got.status_code == status
    assert answer in got.text


def test_the_second_call_with_an_idempotency_key_attaches(
    server: Server, key: str
) -> None:
    headers = {"idempotency-key": key}

    answers = [server.run("Flaky", {"key": key}, headers) for _ in range(2)]

    assert [answer.json() for answer in answers] == [[1, 3, 1], [1, 3, 1]]
    assert len({answer.headers["x-restate-id"] for answer in answers}) == 1


def test_a_delayed_run_can_be_attached_to_and_does_not_start_early(
    server: Server,
) -> None:
    def early(seconds: float) -> tuple[str, int]:
        run = server.send("Squares", 3, f"?delay={seconds}s")["invocationId"]
        output = f"{server.ingress}/restate/output/{run}"
        return run, httpx.get(output, timeout=LONG).status_code

    run, status = patiently(early, lambda known: known[1] == 470)

    assert status == 470
    assert server.attach(run).json() == [0, 1, 4]


@pytest.mark.once
def test_the_ingress_shows_the_real_json_schema(server: Server) -> None:
    openapi = httpx.get(
        f"{server.admin}/services/FanOutWorker/openapi", timeout=LONG
    ).json()

    task = openapi["components"]["schemas"]["runRequest"]
    assert task["properties"]["description"]["type"] == "string"
    assert task["required"] == ["description"]
