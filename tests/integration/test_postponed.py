"""Postponed subtasks: an attempt is not counted, and postponing has a limit."""

from typing import Any

import pytest

from .conftest import GIVEN, Server

pytestmark = pytest.mark.skipif(GIVEN, reason="it serves other fan-outs")


@pytest.mark.parametrize("batch", [1, 64])
def test_postponing_a_subtask_does_not_use_up_its_attempts(
    server: Server, key: str, batch: int
) -> None:
    task = {"key": key, "times": 5, "within": 60}

    answer = server.run(
        "Postponing", {**task, "policy": {"max_items_per_batch": batch}}
    )

    assert (answer.status_code, answer.json()) == (200, [1, 1, 1])


@pytest.mark.parametrize("batch", [1, 64])
def test_a_subtask_that_is_postponed_for_too_long_fails_with_its_error(
    server: Server, key: str, batch: int
) -> None:
    task: dict[str, Any] = {"key": key, "times": 1_000, "within": 0.5}

    answer = server.run(
        "Postponing", {**task, "policy": {"max_items_per_batch": batch}}
    )

    message = answer.json()["message"]
    assert answer.status_code == 429
    assert "busy (its pauses would take longer than 0.5 s) (subtask: " in message
    assert message.endswith("attempts: 1)")
