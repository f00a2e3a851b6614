"""Labels: a caller gives them to a run, and finds the run by them."""

import json
from asyncio import TaskGroup
from collections.abc import Iterator
from typing import Any

import pytest

from parallelizework.client import AsyncClient, Client, Run
from parallelizework.errors import RunFailed, UnfitData
from parallelizework.progress.labels import LABELS_HEADER

from .conftest import Server, error
from .fan_outs.attempts import KeyedTask, never_ending
from .fan_outs.values import squares
from .processes import eventually
from .test_cli import Command, command
from .test_progress import progress

__all__ = ["command"]

pytestmark = pytest.mark.once

ODD_VALUES = [
    "a b",
    "it's",
    "' or '1' = '1",
    'say "hello"',
    "back\\slash",
    "100 %",
    "Zürich",
    "東京",
    "🍏" * 256,
    "-- ; drop",
]
WRONG_LABELS = [
    ({"two words": "a"}, "the key 'two words' of a label is invalid"),
    ({"": "a"}, "the key '' of a label is invalid"),
    ({"k" * 64: "a"}, "of a label is invalid: use 1 to 63 of the characters"),
    ({"tenänt": "a"}, "of a label is invalid"),
    ({"index": "1"}, "a label cannot have the key 'index'"),
    ({"tenant": ""}, "of the label tenant is invalid: use 1 to 256 printable"),
    ({"tenant": "a\nb"}, "of the label tenant is invalid"),
    ({"tenant": "a" * 257}, "of the label tenant is invalid"),
    ({f"k{n}": "a" for n in range(17)}, "there are 17 labels: use 16 at most"),
]


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.ingress, server.admin) as client:
        yield client


def found(client: Client, labels: dict[str, str]) -> list[str]:
    return [each.run for each in client.recent(labels=labels)]


def test_a_run_that_succeeds_at_once_is_found_by_its_labels(
    client: Client, key: str
) -> None:
    labels = {"tenant": key, "kind": "nightly"}

    run = client.submit(squares, 3, labels=labels)
    run.result(60)
    listed = client.recent(labels={"tenant": key})

    assert run.progress().labels == labels
    assert [(each.run, each.labels, each.state) for each in listed] == [
        (run.id, labels, "succeeded")
    ]
    assert listed[0].progress.succeeded == 3


def test_a_run_is_found_while_it_executes_and_after_its_end(
    client: Client, key: str
) -> None:
    run = client.submit(never_ending, KeyedTask(key=key), labels={"key": key})
    eventually(lambda: found(client, {"key": key}) == [run.id])
    eventually(lambda: run.progress().total == 3)

    shown = run.progress()
    run.cancel()
    eventually(lambda: run.progress().ended)

    assert (shown.state, shown.labels) == ("running", {"key": key})
    assert run.progress().labels == {"key": key}
    assert found(client, {"key": key}) == [run.id]


def test_all_labels_must_match_and_the_newest_run_is_the_first(
    client: Client, key: str
) -> None:
    runs: list[Run[list[int]]] = []
    for size in ("small", "large", "small"):
        run = client.submit(squares, 1, labels={"key": key, "size": size})
        run.result(60)  # the next run is submitted in a later millisecond
        runs.append(run)
    other = client.submit(squares, 1)
    other.result(60)

    everything = found(client, {"key": key})
    small = found(client, {"size": "small", "key": key})
    newest = [each.run for each in client.recent(1, labels={"key": key})]

    assert everything == [run.id for run in reversed(runs)]
    assert small == [runs[2].id, runs[0].id]
    assert newest == [runs[2].id]
    assert found(client, {"key": key, "size": "smal"}) == []
    assert found(client, {"KEY": key}) == []
    assert other.progress().labels == {}


async def test_runs_of_the_same_millisecond_have_one_order(
    server: Server, key: str
) -> None:
    labels = {"key": key}
    async with AsyncClient(server.ingress, server.admin) as client:
        async with TaskGroup() as tasks:
            for _ in range(50):
                tasks.create_task(client.run(squares, 1, labels=labels, wait=60))
        listed = await client.recent(50, labels=labels)
        newest = [await client.recent(limit, labels=labels) for limit in range(1, 20)]

    order = [(each.created, each.run) for each in listed]
    assert order == sorted(order, reverse=True)
    assert [[each.run for each in some] for some in newest] == [
        [each.run for each in listed[:limit]] for limit in range(1, 20)
    ]


def test_a_value_may_have_any_printable_characters(client: Client, key: str) -> None:
    for value in ODD_VALUES:
        labels = {"key": key, "value": value}
        run = client.submit(squares, 1, labels=labels)
        run.result(60)

        assert found(client, labels) == [run.id]
        assert run.progress().labels == labels


def test_the_longest_labels_arrive(client: Client, key: str) -> None:
    labels = {f"{n:02}{'k' * 61}": "🍏" * 256 for n in range(15)} | {"key": key}

    run = client.submit(squares, 2, labels=labels)

    assert run.result(60) == [0, 1]
    assert run.progress().labels == labels
    assert found(client, labels) == [run.id]


async def test_an_async_client_has_labels_too(server: Server, key: str) -> None:
    async with AsyncClient(server.ingress, server.admin) as client:
        await client.run(squares, 3, labels={"key": key}, wait=60)
        listed = await client.recent(labels={"key": key})

    assert [each.labels for each in listed] == [{"key": key}]


def test_a_run_that_fails_is_found(client: Client, key: str) -> None:
    with pytest.raises(RunFailed) as failed:
        client.run("Refusing", 4, labels={"key": key})

    assert found(client, {"key": key}) == [failed.value.run]


def test_a_redrive_has_the_labels_of_its_run(client: Client, key: str) -> None:
    run = client.submit("Refusing", 4, labels={"key": key})
    with pytest.raises(RunFailed):
        run.result(60)

    redrive = run.redrive()
    with pytest.raises(RunFailed):
        redrive.result(60)

    assert redrive.progress().labels == {"key": key}
    assert found(client, {"key": key}) == [redrive.id, run.id]


def test_a_run_that_handler_code_starts_has_labels(client: Client) -> None:
    client.run("Calling", 1)

    listed = client.recent(labels={"caller": "sheet_of"})

    assert {each.fan_out for each in listed} == {"Sheets"}


def test_any_program_sends_labels_in_a_header(
    server: Server, client: Client, key: str
) -> None:
    header = json.dumps({"key": key, "city": "Zürich"})

    answer = server.run("Squares", 3, {LABELS_HEADER: header})
    run = answer.headers["x-restate-id"]

    assert answer.json() == [0, 1, 4]
    assert found(client, {"city": "Zürich", "key": key}) == [run]
    eventually(lambda: progress(server, run)["state"] == "succeeded")
    assert progress(server, run)["labels"] == {"key": key, "city": "Zürich"}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("tenant=a", "is not a JSON object of strings: use an object such as"),
        ('["tenant"]', "is not a JSON object of strings"),
        ('{"tenant": 1}', "is not a JSON object of strings"),
        ("null", "is not a JSON object of strings"),
        *((json.dumps(labels), message) for labels, message in WRONG_LABELS),
    ],
)
def test_a_header_with_invalid_labels_is_refused(
    server: Server, header: str, message: str
) -> None:
    answer = server.run("Squares", 3, {LABELS_HEADER: header})

    assert answer.status_code == 400
    assert message in error(answer)


@pytest.mark.parametrize(("labels", "message"), WRONG_LABELS)
def test_a_client_refuses_invalid_labels(
    client: Client, labels: dict[str, str], message: str
) -> None:
    with pytest.raises(UnfitData) as submitted:
        client.submit(squares, 3, labels=labels)
    with pytest.raises(UnfitData) as listed:
        client.recent(labels=labels)

    assert message in str(submitted.value)
    assert message in str(listed.value)


@pytest.mark.parametrize("labels", [{"tenant": 1}, {1: "a"}, {"tenant": None}])
def test_a_client_refuses_labels_that_are_no_strings(
    client: Client, labels: Any
) -> None:
    with pytest.raises(UnfitData, match=r"labels are a dict of strings, not \{"):
        client.submit(squares, 3, labels=labels)


def test_the_command_line_starts_and_lists_runs_with_labels(
    command: Command, key: str
) -> None:
    labels = ["--label", f"key={key}", "--label", "note=a = b"]

    started = command("run", "Squares", "3", *labels, "--json")
    run = json.loads(started.stdout)["run"]
    shown = command("list", *labels).stdout.splitlines()
    listed = json.loads(command("list", "--label", f"key={key}", "--json").stdout)
    none = command("list", "--label", f"key={key}", "--label=note=b").stdout

    assert [line.split()[0] for line in shown] == ["RUN", run]
    assert shown[0].endswith("LABELS")
    assert shown[1].endswith(f"key={key} note=a = b")
    assert [each["labels"] for each in listed] == [{"key": key, "note": "a = b"}]
    assert listed[0]["progress"]["labels"] == listed[0]["labels"]
    assert none.split() == ["RUN", "FAN-OUT", "STATE", "PROGRESS", "AGE"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["--label", "tenant"], "'tenant' is not a label: use KEY=VALUE"),
        (["--label", "a=1", "--label", "a=2"], "the label a has two values"),
        (["--label", "=a"], "the key '' of a label is invalid"),
        (["--label", "tenant="], "of the label tenant is invalid"),
    ],
)
def test_the_command_line_refuses_invalid_labels(
    command: Command, labels: list[str], message: str
) -> None:
    for arguments in (["run", "Squares", "3"], ["list"]):
        completed = command(*arguments, *labels)

        assert completed.returncode == 2
        assert message in completed.stderr


@pytest.mark.parametrize("labels", [None, {"tenant": "a", "city": "Zürich"}])
def test_each_subtask_has_the_labels_in_its_name_for_logs(
    server: Server, client: Client, key: str, labels: dict[str, str] | None
) -> None:
    run = client.submit(never_ending, KeyedTask(key=key), labels=labels)
    sql = (
        "select j.entry_json from sys_journal j join sys_invocation i on j.id = i.id "
        f"where j.index = 0 and i.invoked_by_id = '{run.id}'"
    )
    eventually(lambda: len(server.query(sql)) == 3)

    entries = server.query(sql)
    run.cancel()

    shown = ' city="Z\\u00fcrich" tenant=a' if labels else ""
    assert sorted(map(_name, entries)) == [
        f"run={run.id}{shown} index={index}" for index in range(3)
    ]


def _name(entry: dict[str, str]) -> str:
    headers = json.loads(entry["entry_json"])["Command"]["Input"]["headers"]
    [name] = [e["value"] for e in headers if e["name"] == "x-parallelizework-subtask"]
    return name
