"""Runs that are paused, by a user or by their failures, and resumed."""

import json
from collections.abc import Iterator

import pytest

from parallelizework.client import Client
from parallelizework.errors import Refused, RunNotFinished

from .conftest import Server
from .processes import eventually, output_of, running
from .test_cli import addresses


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.ingress, server.admin) as client:
        yield client


def subtasks(server: Server, service: str) -> set[str]:
    """The subtasks that have been called, and have not ended."""
    rows = server.query(
        f"select id from sys_invocation where target = '{service}/runSubtask' "
        "and status <> 'completed'"
    )
    return {row["id"] for row in rows}


@pytest.mark.parametrize(
    ("service", "count"),
    [
        ("IdlingSharded", 400),
        # With 1,200 steps, a replay after each step takes long.
        pytest.param("IdlingSegmented", 1_200, marks=pytest.mark.once),
    ],
)
def test_no_coordinator_of_a_paused_run_starts_a_subtask(
    server: Server, client: Client, key: str, service: str, count: int
) -> None:
    run = client.submit(service, {"key": key, "count": count})
    eventually(lambda: len(subtasks(server, service)) >= 8)

    run.pause()
    executing = subtasks(server, service)
    eventually(lambda: not subtasks(server, service))
    with pytest.raises(RunNotFinished):
        run.result(1.5)

    assert len(executing) <= 8
    assert not subtasks(server, service)
    assert run.progress().state == "paused"
    assert run.progress().paused == 0  # nothing is to be fixed
    server.repair(key)
    run.resume()
    assert run.result(200) == count


def test_a_run_that_only_waits_for_its_subtasks_is_paused_too(
    server: Server, client: Client, key: str
) -> None:
    run = client.submit("NeverEnding", {"key": key})
    eventually(lambda: len(subtasks(server, "NeverEnding")) == 3)

    run.pause()

    assert run.progress().state == "paused"
    run.resume()
    run.cancel()


def test_a_run_that_has_not_begun_cannot_be_paused(client: Client) -> None:
    run = client.submit("Squares", 3, delay=100)

    with pytest.raises(Refused, match="is not running"):
        run.pause()

    run.cancel()


def test_paused_subtasks_are_counted_and_shown_with_their_error(
    server: Server, client: Client, key: str
) -> None:
    run = client.submit("Pausing", {"key": key})
    eventually(lambda: len(run.paused()) == 1)

    [paused] = run.paused()
    progress = run.progress()
    listed = {each.run: each.progress for each in client.recent(20)}

    assert (progress.state, progress.paused) == ("running", 1)
    assert listed[run.id].paused == 1
    assert paused.target == "Pausing/runSubtask"
    assert paused.error
    assert "OSError('broken')" in paused.error
    assert paused.index == 1
    assert paused.subtask == {"key": f"{key}-b", "fail": ""}
    server.repair(f"{key}-b")
    run.resume()
    run.result(60)
    assert run.progress().paused == 0
    assert run.paused() == []


@pytest.mark.once
def test_the_command_line_reports_paused_runs_and_the_command_to_resume(
    server: Server, client: Client, key: str
) -> None:
    run = client.submit("Pausing", {"key": key})
    eventually(lambda: len(run.paused()) == 1)
    where = addresses(server)
    remedy = f"parallelizework resume {run.id}"

    failures = output_of("failures", run.id, where=where)
    as_json = output_of("failures", run.id, "--json", where=where)
    listed = output_of("list", where=where)
    doctor = output_of("doctor", where=where, code=1)
    with running("watch", run.id, environment=where) as watch:
        assert "OSError('broken')" in watch.wait_for(remedy)
        run.cancel()

    assert "paused  OSError('broken')" in failures
    assert remedy in failures
    found = json.loads(as_json.splitlines()[0])
    assert [each["status"] for each in found] == ["paused"]
    assert "1 paused" in listed
    assert f"parallelizework failures {run.id}" in listed
    assert f"WRONG  paused       1 paused call of {run.id}" in doctor
    assert remedy in doctor
