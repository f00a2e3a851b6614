"""The state of a call of a subtask, from what Restate's SQL returns about the call."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parallelizework.attempts.retry_schedule import FailedAttempt
from parallelizework.client.server_api.subtask_calls import AttemptsSoFar, SubtaskCall
from parallelizework.client.subtasks.listed import InFlight
from parallelizework.outcomes import Fault

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
WORKER_LOST = {"error": "[500 Internal] connection is closed", "error_code": "RT0010"}
RAISED = {"error": "[503 Unavailable] come back", "error_code": "RT0007"}


def call(**fields: Any) -> SubtaskCall:
    fields = {"handler": "runSubtask", "status": "running", "journal_size": 1, **fields}
    created = NOW - timedelta(seconds=90)
    now = NOW.replace(tzinfo=None)
    return SubtaskCall(id="inv_1", created_at=created, now=now, total=1, **fields)


def attempts(begun: int, failed: int, postponed: int = 0) -> AttemptsSoFar:
    fault = Fault(status="failed", message="broken", code=500)
    value = list(FailedAttempt(fault=fault, again=True).model_dump_json().encode())
    run = {"Run": {"completion_id": 1, "result": {"Success": value}}}
    return AttemptsSoFar(
        id="inv_1",
        begun=begun,
        failed=failed,
        postponed=postponed,
        last=json.dumps({"Notification": {"Completion": run}}) if failed else None,
    )


@pytest.mark.parametrize(
    ("fields", "so_far", "state"),
    [
        ({}, None, ("running", 1, None)),
        ({"status": "ready"}, None, ("scheduled", 0, None)),
        ({"status": "suspended", "journal_size": 9}, None, ("running", None, None)),
        ({"journal_size": 2}, attempts(1, 0), ("running", 1, None)),
        ({"journal_size": 4}, attempts(1, 1), ("retrying", 1, "broken")),
        ({"journal_size": 6}, attempts(2, 1), ("retrying", 2, "broken")),
        (
            {"status": "ready", "journal_size": 4},
            attempts(1, 1),
            ("retrying", 1, "broken"),
        ),
        ({"journal_size": 8}, attempts(3, 2, 2), ("retrying", 1, "broken")),
        (
            {"status": "backing-off", "retry_count": 7, **WORKER_LOST},
            None,
            ("retrying", 1, "connection is closed"),
        ),
        (
            {"status": "backing-off", "retry_count": 7, **RAISED},
            None,
            ("retrying", 7, "come back"),
        ),
        ({"handler": "runBatch"}, None, ("running", None, None)),
    ],
)
def test_a_call_has_a_status_attempts_and_an_error(
    fields: dict[str, Any],
    so_far: AttemptsSoFar | None,
    state: tuple[str, int | None, str | None],
) -> None:
    found = InFlight.of(call(**fields), so_far, {})

    assert (found.status, found.attempts, found.error) == state


def test_a_paused_call_has_the_error_that_paused_it_or_its_own() -> None:
    with_error = InFlight.of(call(), attempts(2, 2), {"inv_1": "disk full"})
    by_a_user = InFlight.of(call(), attempts(2, 1), {"inv_1": None})

    assert (with_error.status, with_error.error) == ("paused", "disk full")
    assert (by_a_user.status, by_a_user.error) == ("paused", "broken")


def test_the_duration_is_measured_by_the_clock_of_the_server() -> None:
    assert call().duration == 90
