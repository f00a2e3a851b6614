"""`parallelizework.client`: submit, follow and steer runs from a Python program."""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator

import pytest

from parallelizework.client import AsyncClient, Client
from parallelizework.errors import (
    Refused,
    RunFailed,
    RunNotFinished,
    UnfitData,
    UnknownFanOut,
    UnknownRun,
    Unreachable,
)

from .conftest import Server
from .fan_outs.attempts import KeyedTask, never_ending
from .fan_outs.values import Box, Circle, shapes_fan_out, squares
from .processes import LONG, eventually

pytestmark = pytest.mark.once

NO_RUN = "inv_1dPXI20kYi3s65CBtvVth9WdnBY7mSKkjD"
NOWHERE = "http://127.0.0.1:1"
ATTACH = """
import sys
from parallelizework.client import Client

with Client(*sys.argv[1:3]) as client:
    print(client.attach("Squares", sys.argv[3]).result(60))
"""


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.ingress, server.admin) as client:
        yield client


def test_a_client_accepts_and_returns_the_models_of_the_user(
    client: Client,
) -> None:
    run = client.submit(shapes_fan_out, [Circle(radius=1), None])

    result = run.result(60)

    assert result == [Circle(radius=2), None]


def test_a_fan_out_given_by_name_accepts_and_returns_plain_json(
    client: Client,
) -> None:
    assert client.run("Shapes", [{"width": 1, "height": 2}]) == [
        Box(width=2, height=4).model_dump()
    ]


async def test_the_async_client_does_the_same(server: Server, key: str) -> None:
    async with AsyncClient(server.ingress, server.admin) as client:
        result = await client.run(squares, 3, wait=60)
        run = await client.submit(never_ending, KeyedTask(key=key))
        with pytest.raises(RunNotFinished):
            await run.result(0.2)
        await client.attach(never_ending, run.id).cancel()
        with pytest.raises(RunFailed, match="was cancelled"):
            await run.result(60)
        progress = await run.progress()
        listed = await client.recent(100)

    assert result == [0, 1, 4]
    assert progress.state == "cancelled"
    assert run.id in [each.run for each in listed]


def test_one_process_submits_and_another_attaches(
    client: Client, server: Server
) -> None:
    run = client.submit(squares, 3, delay=0.5)

    attached = subprocess.run(
        [sys.executable, "-c", ATTACH, server.ingress, server.admin, run.id],
        check=True,
        capture_output=True,
        timeout=LONG,
    )

    assert json.loads(attached.stdout) == [0, 1, 4]


def test_the_same_key_returns_the_same_run(client: Client, key: str) -> None:
    runs = [client.submit(squares, 3, idempotency_key=key) for _ in range(2)]

    assert runs[0].id == runs[1].id
    assert runs[1].result(60) == [0, 1, 4]


def test_the_error_for_a_late_result_says_how_to_get_the_result(
    client: Client, key: str
) -> None:
    with pytest.raises(RunNotFinished) as late:
        client.run(never_ending, KeyedTask(key=key), wait=0.2)

    assert f"parallelizework result {late.value.run}" in str(late.value)
    run = client.attach(never_ending, late.value.run)
    assert not run.progress().ended
    run.cancel()
    with pytest.raises(RunFailed) as cancelled:
        run.result(60)
    assert cancelled.value.cancelled
    assert pickle.loads(pickle.dumps(cancelled.value)).status == 409


def test_progress_is_exact_as_soon_as_the_result_is_available(client: Client) -> None:
    run = client.submit(squares, 20)
    run.result(60)

    progress = run.progress()

    assert (progress.state, progress.total, progress.done) == ("succeeded", 20, 20)
    assert progress.fan_out == "Squares"
    assert progress.completion_reason == "ALL_COMPLETED"


def test_a_delayed_run_is_scheduled_and_has_no_failures(client: Client) -> None:
    run = client.submit(squares, 3, delay=100)

    assert run.progress().state == "scheduled"
    assert run.failures() == []
    run.cancel()


def test_a_failed_run_raises_its_error_and_lists_its_failures(
    client: Client,
) -> None:
    run = client.submit("Refusing", 4)

    with pytest.raises(RunFailed, match="no such number") as failed:
        run.result(60)

    assert (failed.value.run, failed.value.status) == (run.id, 404)
    assert run.progress().state == "failed"
    failures = {failure.index: failure for failure in run.failures()}
    assert failures[2].message == "no such number"
    assert failures[2].code == 404


def test_a_run_that_has_ended_is_not_cancelled_paused_or_resumed(
    client: Client,
) -> None:
    run = client.submit(squares, 3)
    run.result(60)

    for steer in (run.cancel, run.pause, run.resume):
        with pytest.raises(Refused):
            steer()


def test_a_task_that_does_not_fit_the_hints_is_not_sent(client: Client) -> None:
    with pytest.raises(UnfitData, match="is a str, but its type is int: pass an int"):
        client.submit(squares, "three")  # pyright: ignore[reportCallIssue, reportArgumentType] - so it says


def test_the_error_for_an_unknown_name_suggests_the_nearest_one(client: Client) -> None:
    with pytest.raises(UnknownFanOut, match="did you mean Squares"):
        client.submit("Sqares", 3)


def test_the_error_for_swapped_urls_names_both(server: Server) -> None:
    with Client(server.admin, server.ingress) as client:
        with pytest.raises(Refused, match="is the URL of an admin API, not of an ingr"):
            client.submit("Squares", 3)
        with pytest.raises(Refused, match="is the URL of an ingress, not of an admin "):
            client.recent()


@pytest.mark.parametrize("run", [NO_RUN, "inv_nonsense", "nonsense", "' or 1 = 1"])
def test_the_methods_of_an_unknown_run_raise_an_error(client: Client, run: str) -> None:
    unknown = client.attach("Squares", run)

    for ask in (
        unknown.result,
        unknown.progress,
        unknown.failures,
        unknown.cancel,
        unknown.pause,
        unknown.resume,
    ):
        with pytest.raises(UnknownRun, match="run"):
            ask()


def test_recent_runs_are_listed_with_their_progress(client: Client) -> None:
    run = client.submit(squares, 3)
    run.result(60)
    eventually(lambda: client.recent(1)[0].progress.total == 3)

    listed = client.recent(1)

    assert [each.run for each in listed] == [run.id]
    assert (listed[0].fan_out, listed[0].state) == ("Squares", "succeeded")


def test_the_error_for_a_server_that_is_away_has_its_url_and_a_remedy() -> None:
    with (
        Client(NOWHERE, NOWHERE) as client,
        pytest.raises(Unreachable, match=f"{NOWHERE}.*parallelizework dev"),
    ):
        client.submit(squares, 3)
