"""A client can read the end, the failures and the updates of a run."""

import math
import subprocess
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from parallelizework.client import AsyncClient, Client
from parallelizework.errors import (
    OtherTask,
    RunFailed,
    UnfitData,
    UnknownFanOut,
)

from .conftest import Server
from .fan_outs.attempts import KeyedTask, never_ending
from .fan_outs.concurrency import slow
from .fan_outs.values import Aliased, aliased, squares
from .processes import COMMAND, LONG, eventually, output_of
from .test_cli import Command, addresses, command

__all__ = ["command"]

pytestmark = pytest.mark.once


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.ingress, server.admin) as client:
        yield client


@pytest.mark.parametrize(
    ("policy", "task", "reason", "message"),
    [
        (
            {},
            {"bad": [1]},
            "FAILURE_TOLERANCE_EXCEEDED",
            "subtask 1 failed: 1 is bad (",
        ),
        (
            {"tolerated_failure_count": 1},
            {"bad": [0, 1]},
            "FAILURE_TOLERANCE_EXCEEDED",
            "2 failed, 1 are tolerated; first: subtask ",
        ),
        (
            {"tolerated_failure_percentage": 12.5},
            {"bad": [0, 1]},
            "FAILURE_TOLERANCE_EXCEEDED",
            "25 % failed, 12.5 % are tolerated; first: subtask ",
        ),
        (
            {"min_successful": 8},
            {"bad": [3]},
            "MIN_SUCCESSFUL_UNREACHABLE",
            "min_successful=8 cannot be reached: subtask 3 failed: ",
        ),
        (
            {"race": True},
            {"bad": [0], "good": []},
            "FIRST_SETTLED",
            "race: the first outcome decides: subtask 0 failed: ",
        ),
        (
            {"deadline": 0.5},
            {"good": []},
            "DEADLINE_EXCEEDED",
            "the deadline of 0.5 s has passed: ",
        ),
    ],
)
def test_the_error_of_a_failed_run_names_its_completion_rule(  # noqa: PLR0913, PLR0917
    client: Client,
    key: str,
    policy: dict[str, Any],
    task: dict[str, Any],
    reason: str,
    message: str,
) -> None:
    run = client.submit("Trials", {"key": key, "count": 8, **task, "policy": policy})

    with pytest.raises(RunFailed) as failed:
        run.result(60)

    assert failed.value.reason == reason
    assert failed.value.message.startswith(message)


def test_a_refused_task_has_no_completion_reason_and_a_cancelled_run_has_one(
    client: Client, key: str
) -> None:
    cancelled = client.submit(never_ending, KeyedTask(key=key))
    cancelled.cancel()

    with pytest.raises(RunFailed) as misfit:
        client.run("Squares", "three")
    with pytest.raises(RunFailed) as end:
        cancelled.result(60)

    assert misfit.value.reason is None
    assert end.value.reason == "CANCELLED"


def test_failures_can_be_read_as_soon_as_the_run_has_failed(client: Client) -> None:
    for _ in range(5):
        run = client.submit("Refusing", 4)
        with pytest.raises(RunFailed):
            run.result(60)

        failures = run.failures()

        assert 2 in [failure.index for failure in failures]


def test_failures_that_are_not_stored_are_counted(
    client: Client, command: Command
) -> None:
    run = client.submit("Loud", {"count": 600, "length": 1_000})
    run.result(LONG)

    failures = run.failures()
    completed = command("failures", run.id)

    assert 100 < len(failures) < 400
    assert len(failures) + failures.more == 600
    assert f"{failures.more} more have failed" in completed.stderr


def test_updates_come_until_the_run_has_ended(
    client: Client, server: Server, key: str
) -> None:
    run = client.submit("Stepping", {"key": key, "count": 3, "free": 0})
    seen: list[tuple[str, int | None, int]] = []

    for progress in run.updates():
        seen.append((progress.state, progress.total, progress.succeeded))
        if progress.total is not None:
            server.repair(key)

    assert seen[-1] == ("succeeded", 3, 3)
    assert {("running", 3, 0), ("running", 3, 1), ("running", 3, 2)} <= set(seen)
    assert len(seen) == len(set(seen))


async def test_an_async_client_iterates_over_updates_too(server: Server) -> None:
    async with AsyncClient(server.ingress, server.admin) as client:
        run = await client.submit(squares, 3)

        states = [progress.state async for progress in run.updates()]

    assert states[-1] == "succeeded"


def test_a_key_that_was_used_with_another_task_is_a_warning(
    client: Client, key: str
) -> None:
    first = client.submit(squares, 3, idempotency_key=key)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = client.submit("Squares", 3, idempotency_key=key)

    with pytest.warns(OtherTask, match=f"{key}.*{first.id}") as warned:
        other = client.submit(squares, 4, idempotency_key=key)

    assert warned[0].filename == __file__
    assert (first.is_new, same.is_new, other.is_new) == (True, False, False)
    assert other.result(60) == [0, 1, 4]


async def test_an_async_client_warns_the_same_way(server: Server, key: str) -> None:
    async with AsyncClient(server.ingress, server.admin) as client:
        await client.submit(squares, 3, idempotency_key=key)
        with pytest.warns(OtherTask) as warned:
            await client.submit(squares, 4, idempotency_key=key)

    assert warned[0].filename == __file__


def test_the_command_line_says_that_a_key_was_used_before(
    command: Command, key: str
) -> None:
    options = ["--idempotency-key", key]
    command("run", "Squares", "3", *options)

    same = command("run", "Squares", " 3", *options)
    other = command("run", "Squares", "4", *options)

    assert "was used before: no new run is started" in same.stderr
    assert "another task" not in same.stderr
    assert "was used before, with another task" in other.stderr
    assert other.stdout == "[0, 1, 4]\n"


@pytest.mark.parametrize("key", ["", "naïve", "a\nb", " a", "a "])
def test_a_key_that_is_not_a_valid_header_value_is_refused(
    client: Client, command: Command, key: str
) -> None:
    with pytest.raises(UnfitData, match="printable ASCII"):
        client.submit(squares, 3, idempotency_key=key)
    completed = command("run", "Squares", "3", f"--idempotency-key={key}")

    assert completed.returncode == 2
    assert completed.stderr.startswith("parallelizework: the idempotency key ")


@pytest.mark.parametrize("delay", [math.nan, math.inf, -1, 1e300])
def test_an_invalid_delay_is_refused(client: Client, delay: float) -> None:
    with pytest.raises(UnfitData, match="cannot be delayed by"):
        client.submit(squares, 3, delay=delay)


def test_a_typed_client_sends_the_json_that_the_server_expects(client: Client) -> None:
    assert client.run(aliased, [Aliased(userId=7)]) == [7]
    assert client.run(slow, [-math.inf]) == [-math.inf]


def test_a_run_with_an_executor_is_listed_and_the_executor_is_not_suggested(
    client: Client,
) -> None:
    run = client.submit("Remote", {"count": 1, "free": 1})
    run.result(60)

    assert run.id in [each.run for each in client.recent(20)]
    with pytest.raises(UnknownFanOut, match="did you mean Remote"):
        client.submit("Remot", 3)
    with pytest.raises(UnknownFanOut) as unknown:
        client.submit("RemoteSquare", 3)
    assert "RemoteSquares" not in str(unknown.value)


def test_the_failure_of_a_run_with_a_bad_task_is_shown_at_once(
    client: Client, command: Command
) -> None:
    run = client.submit("Squares", "three")
    with pytest.raises(RunFailed):
        run.result(60)
    sent = _requests(client)

    assert run.progress().state == "failed"

    assert len(sent) <= 5  # and no wait for an update that never comes
    completed = command("run", "Squares", '"three"', "--json")
    assert (completed.returncode, '"status": 400' in completed.stdout) == (1, True)


def _requests(client: Client) -> list[object]:
    """Whatever a client sends from now on."""
    sent: list[object] = []

    async def note(request: object) -> None:
        sent.append(request)

    http = client._server.http.client  # pyright: ignore[reportPrivateUsage] - it has no other
    http.event_hooks["request"].append(note)
    return sent


@pytest.mark.parametrize(
    ("arguments", "error", "code"),
    [
        (["run", "Sqares", "3"], "did you mean Squares", 1),
        (["run", "Squares"], "the task is missing", 2),
        (["run", "Squares", "3", "--delay", "soon"], "--delay", 2),
        (["result", "inv_1dPXI20kYi3s65CBtvVth9WdnBY7mSKkjD"], "has no run", 1),
    ],
)
def test_an_error_is_json_when_json_is_requested(
    command: Command, arguments: list[str], error: str, code: int
) -> None:
    completed = command(*arguments, "--json")

    assert completed.returncode == code
    assert error in completed.stderr
    assert completed.stdout.startswith('{"error": "')
    assert error in completed.stdout


def test_a_full_disk_and_an_ascii_terminal_cause_no_traceback(server: Server) -> None:
    environment = {**addresses(server), "PYTHONIOENCODING": "ascii"}
    task = '["ä"]'

    shown = output_of("run", "Lines", task, where=environment)
    with open("/dev/full", "wb") as full:
        process = subprocess.run(
            [*COMMAND, "run", "Lines", task],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=LONG,
            check=False,
        )

    assert '["Ä"]' in shown
    assert process.returncode == 1
    assert process.stderr.endswith(b"No space left on device\n")
    assert b"Traceback" not in process.stderr


def test_empty_lines_are_no_subtasks(command: Command) -> None:
    completed = command("run", "Lines", "--from-lines", "-", text="a\n\n  \nb\n")

    assert completed.stdout == '["A", "B"]\n'


def test_cancelled_subtasks_are_not_counted_as_done(
    client: Client, command: Command, key: str
) -> None:
    run = client.submit(never_ending, KeyedTask(key=key))
    eventually(lambda: run.progress().total == 3)
    run.cancel()

    watched = command("watch", run.id)
    progress = run.progress()

    assert "cancelled: 0 of 3 succeeded, 3 cancelled\n" in watched.stderr
    assert (progress.done, progress.percent) == (0, 0.0)
