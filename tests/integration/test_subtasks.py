"""A client lists the subtasks of a run, with their names and states."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from parallelizework.client import AsyncClient, Client, ListedSubtask, Run, Subtasks
from parallelizework.client.subtasks.listed import SubtaskStatus
from parallelizework.errors import UnknownRun

from .conftest import Server
from .fan_outs.named import Fates, named, named_pausing
from .processes import LONG, eventually
from .test_cli import Command, command

__all__ = ["command"]

pytestmark = pytest.mark.once

STATUSES = get_args(SubtaskStatus)


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.ingress, server.admin) as client:
        yield client


def until_listed(run: Run[Any], *statuses: SubtaskStatus) -> Subtasks:
    """Wait until the statuses of the listed subtasks are these."""
    found = run.subtasks()

    def are_listed() -> bool:
        nonlocal found
        found = run.subtasks()
        return [each.status for each in found] == list(statuses)

    eventually(are_listed)
    return found


def name(number: int, fate: str) -> str:
    return f"№ {number} index=7, which {fate}"


def test_subtasks_that_execute_are_retried_or_failed_are_listed(
    client: Client, server: Server, key: str
) -> None:
    fates = Fates(key=key, fates=["succeeds", "waits", "retries", "fails"])
    run = client.submit(named, fates)

    found = until_listed(run, "running", "retrying", "failed")
    waiting, retried, failed = found
    server.repair(key)
    run.cancel()

    assert (waiting.index, waiting.name) == (1, name(1, "waits"))
    assert (waiting.attempts, waiting.error) == (1, None)
    assert (retried.index, retried.name) == (2, name(2, "retries"))
    assert (retried.attempts, retried.error) == (1, "come back")
    assert waiting.duration is not None
    assert retried.duration is not None
    assert 0 < retried.duration < LONG
    assert failed == ListedSubtask(
        index=3,
        name=name(3, "fails"),
        status="failed",
        attempts=1,
        error="as its fate says",
    )
    assert (found.more, found.progress.succeeded, found.progress.total) == (0, 1, 4)


def test_a_paused_subtask_shows_its_error_and_all_its_attempts(
    client: Client, server: Server, key: str
) -> None:
    run = client.submit(named_pausing, Fates(key=key, fates=["pauses", "succeeds"]))

    [paused] = until_listed(run, "paused")
    [same] = run.paused()
    server.repair(key)
    run.resume()

    assert (paused.index, paused.name, paused.attempts) == (0, name(0, "pauses"), 2)
    assert paused.error is not None
    assert paused.error.startswith("OSError('broken')")
    assert same.name == name(0, "pauses")
    assert run.result(LONG) == [0, 1]
    assert run.subtasks() == []


def test_handler_code_that_restate_retries_shows_its_error(
    client: Client, server: Server, key: str
) -> None:
    fates = Fates(key=key, fates=["retries", "waits"])
    run = client.submit("NamedHandlerCode", fates.model_dump())

    retried, waiting = until_listed(run, "retrying", "running")
    server.repair(key)
    run.cancel()

    assert (retried.name, retried.attempts) == (name(0, "retries"), 1)
    assert retried.error == "come back"
    assert waiting.name == name(1, "waits")


def test_the_subtasks_of_an_executors_batch_are_listed_one_by_one(
    client: Client, server: Server, key: str
) -> None:
    fates = Fates(key=key, fates=["waits", "fails", "succeeds"])
    run = client.submit("NamedBatches", fates.model_dump())

    first, second = until_listed(run, "running", "running")
    server.repair(key)
    run.result(LONG)
    [failed] = run.subtasks(status="failed")

    assert (first.index, first.name, first.attempts) == (0, name(0, "waits"), None)
    assert (second.index, second.name) == (1, name(1, "fails"))
    assert first.invocation == second.invocation is not None
    assert (failed.status, failed.name) == ("failed", name(1, "fails"))


def test_the_subtasks_of_shards_are_listed_in_the_order_of_the_split(
    client: Client, server: Server, key: str
) -> None:
    fates = Fates(key=key, fates=["waits", "waits"])
    labels = {"tenant": "a b index=3", "city": "Zürich"}
    run = client.submit("NamedShards", fates.model_dump(), labels=labels)

    found = until_listed(run, "running", "running", "running", "running")
    server.repair(key)
    run.result(LONG)

    places = [(each.shard, each.index) for each in found]
    assert places == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [each.name for each in found] == [name(0, "waits"), name(1, "waits")] * 2


def test_a_list_has_a_limit_and_a_status(
    client: Client, server: Server, key: str
) -> None:
    fates = Fates(key=key, fates=["waits", "waits", "retries", "waits", "fails"])
    run = client.submit(named, fates)
    until_listed(run, "running", "running", "retrying", "running", "failed")

    two = run.subtasks(limit=2)
    one = run.subtasks("running", limit=1)
    by_status = {status: run.subtasks(status) for status in STATUSES}
    server.repair(key)
    run.cancel()

    assert [each.status for each in two] == ["retrying", "failed"]
    assert two.more == 3
    assert (len(one), one.more) == (1, 2)
    indexes = {s: [each.index for each in found] for s, found in by_status.items()}
    assert {s: found for s, found in indexes.items() if found} == {
        "running": [0, 1, 3],
        "retrying": [2],
        "failed": [4],
    }


def test_the_calls_of_a_subtasks_own_fan_outs_are_not_listed(
    client: Client, server: Server, key: str
) -> None:
    run = client.submit("NamedCalling", {"key": key, "fates": ["waits"]})
    called = (
        "select lowest.id from sys_invocation lowest "
        "join sys_invocation called on lowest.invoked_by_id = called.id "
        "join sys_invocation highest on called.invoked_by_id = highest.id "
        f"where highest.invoked_by_id = '{run.id}' "
        "and lowest.target = 'Named/runSubtask'"
    )

    eventually(lambda: len(server.query(called)) == 2)
    found = run.subtasks()
    server.repair(key)
    run.result(LONG)

    assert [(each.index, each.name) for each in found] == [(0, None), (1, None)]


def test_the_failures_that_are_not_stored_are_counted(client: Client) -> None:
    run = client.submit("Loud", {"count": 600, "length": 1_000})
    run.result(LONG)

    found = run.subtasks(limit=50)

    assert (len(found), found.more) == (50, 550)


def test_an_unknown_run_has_no_list(client: Client) -> None:
    with pytest.raises(UnknownRun):
        client.attach("Named", "inv_1").subtasks()
    with pytest.raises(UnknownRun):
        client.attach("Named", "x' or '1' = '1").subtasks()


async def test_an_async_client_lists_the_same(server: Server, key: str) -> None:
    async with AsyncClient(server.ingress, server.admin) as client:
        run = await client.submit(named, Fates(key=key, fates=["fails"]))
        await run.result(LONG)

        found = await run.subtasks("failed")

    assert [each.name for each in found] == [name(0, "fails")]


def test_the_command_line_prints_a_table_or_json(
    client: Client, command: Command, server: Server, key: str
) -> None:
    run = client.submit(named, Fates(key=key, fates=["succeeds", "retries", "fails"]))
    until_listed(run, "retrying", "failed")

    table = command("subtasks", run.id)
    as_json = command("subtasks", run.id, "--status", "failed", "--json")
    nothing = command("subtasks", run.id, "--status", "paused")
    failures = command("failures", run.id)
    wrong = command("subtasks", run.id, "--status", "lost")
    server.repair(key)
    run.cancel()

    header, retried, failed = table.stdout.splitlines()
    assert header.split() == [
        "INDEX",
        "NAME",
        "STATUS",
        "ATTEMPTS",
        "DURATION",
        "ERROR",
    ]
    assert retried.startswith(f"1      {name(1, 'retries')}  retrying  1         0:")
    assert retried.endswith("come back")
    assert failed.split()[-4:] == ["as", "its", "fate", "says"]
    assert "running: 1 of 3 succeeded, 1 failed" in table.stderr
    [found] = json.loads(as_json.stdout)
    assert (found["index"], found["error"]) == (2, "as its fate says")
    assert f"no subtask of {run.id} with the status paused is listed" in nothing.stderr
    assert (nothing.stdout, nothing.returncode) == ("", 0)
    assert wrong.returncode == 2
    first = failures.stdout.splitlines()[1]
    assert first.startswith(f"2      {name(2, 'fails')}  failed  as its fate says  {{")
