"""Attempts: which are made, which time out, and which errors end them."""

import pytest

from .conftest import Server, error


def test_a_subtask_that_requests_a_later_retry_keeps_its_slot(
    server: Server, key: str
) -> None:
    """It has the only slot, so the others come after it."""
    ends = server.run("RetriedLater", {"key": key}).json()

    assert ends == sorted(ends)
    assert server.executions(f"{key}-a") == 2


@pytest.mark.parametrize("batch", [1, 4])
def test_an_attempt_that_times_out_is_followed_by_another(
    server: Server, key: str, batch: int
) -> None:
    policy = {"attempt_timeout": 0.3, "max_items_per_batch": batch}

    answer = server.run("SlowThenFast", {"key": key, "policy": policy})

    assert min(answer.json()) == 2


@pytest.mark.parametrize("batch", [1, 4])
def test_a_subtask_times_out_after_its_last_attempt_timed_out(
    server: Server, key: str, batch: int
) -> None:
    policy = {"attempt_timeout": 0.1, "max_attempts": 2, "max_items_per_batch": batch}

    answer = server.run("SlowThenFast", {"key": key, "fail": "9", "policy": policy})

    assert answer.status_code == 504
    assert " timed out: an attempt took longer than 0.1 s" in error(answer)
    assert "attempts: 2" in error(answer)


@pytest.mark.parametrize("service", ["SlowThenFast", "NeverEnding"])
def test_a_subtask_is_cancelled_after_its_timeout(
    server: Server, key: str, service: str
) -> None:
    policy = {"subtask_timeout": 0.5, "tolerated_failure_percentage": 100}

    answer = server.run(service, {"key": key, "fail": "9", "policy": policy})

    assert answer.json() == []
    server.wait_until_gone(answer.headers["x-restate-id"])


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(
    "how", ["code", pytest.param("message", marks=pytest.mark.once)]
)
def test_an_error_with_a_huge_message_or_an_unknown_code_is_a_failure(
    server: Server, key: str, how: str, batch: int
) -> None:
    policy = {"max_attempts": 2, "max_items_per_batch": batch}
    task = {"key": key, "how": how, "policy": policy}

    failed = server.run("Rough", task)
    policy |= {"tolerated_failure_percentage": 100}
    tolerated = server.run("Rough", task)

    assert failed.status_code == 500
    assert len(error(failed)) < 10_000
    assert tolerated.json() == []


@pytest.mark.parametrize("batch", [1, 4])
def test_a_child_of_a_task_group_that_fails_is_a_failed_attempt(
    server: Server, key: str, batch: int
) -> None:
    policy = {
        "max_attempts": 2,
        "initial_retry_interval": "PT0.01S",
        "max_items_per_batch": batch,
    }
    task = {"key": key, "how": "group", "policy": policy}

    failed = server.run("Rough", task)
    executions = server.executions(key)
    policy |= {"tolerated_failure_percentage": 100}
    tolerated = server.run("Rough", task)

    assert failed.status_code == 500
    assert "ExceptionGroup" in error(failed)
    assert tolerated.json() == []
    assert server.executions(key) == executions + 8


def test_attempts_of_handler_code_that_request_a_delay_are_counted(
    server: Server, key: str
) -> None:
    policy = {"tolerated_failure_percentage": 100}

    answer = server.run("RoughCode", {"key": key, "how": "", "policy": policy})

    assert answer.json() == []
    assert server.executions(key) == 8
