"""The outcomes of a run are read one by one, while the run continues."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from parallelizework.client import AsyncClient, Client, CompletedSubtask, Run
from parallelizework.errors import Refused, RunFailed, UnknownRun

from .conftest import HTTP, Server, error
from .test_redrive import KINDS, Trial

ALL_SETTLED = {"stream": True, "tolerated_failure_percentage": 100}
COUNT = 150


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.ingress, server.admin) as client:
        yield client


def started(client: Client, service: str, key: str, **task: Any) -> Run[Any]:
    policy = ALL_SETTLED | task.pop("policy", {})
    return client.submit(service, {"key": key, "count": COUNT, "policy": policy} | task)


def values(outcomes: list[CompletedSubtask]) -> list[int]:
    """The numbers of the subtasks that have succeeded."""
    lists = [each.value for each in outcomes if each.failure is None]
    numbers = [number for each in lists if isinstance(each, list) for number in each]
    return [number for number in numbers if isinstance(number, int)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_subtask_has_one_outcome(client: Client, key: str, kind: str) -> None:
    bad = [0, 44, 149]
    run = started(client, kind, key, bad=bad)

    outcomes = list(run.outcomes())

    assert sorted(values(outcomes)) == [n for n in range(COUNT) if n not in bad]
    failures = [each.failure for each in outcomes if each.failure]
    assert sorted(failure.message for failure in failures) == sorted(
        f"{number} is bad" for number in bad
    )
    assert len({(each.shard, each.index) for each in outcomes}) == COUNT
    offsets = [each.offset for each in outcomes]
    assert offsets == sorted(set(offsets))


@pytest.mark.parametrize("size", [10, "auto"])
@pytest.mark.parametrize("kind", ["Redriven", "RedrivenExecutor", "RedrivenSharded"])
def test_each_subtask_of_a_batch_has_one_outcome(
    client: Client, key: str, kind: str, size: int | str
) -> None:
    bad = [0, 44, 149]
    run = started(client, kind, key, bad=bad, policy={"max_items_per_batch": size})

    outcomes = list(run.outcomes())

    assert sorted(values(outcomes)) == [n for n in range(COUNT) if n not in bad]
    assert len(outcomes) == COUNT


def test_outcomes_are_read_while_the_run_continues(
    server: Server, client: Client, key: str
) -> None:
    run = started(client, "Redriven", key, hanging=[3])
    outcomes = run.outcomes()

    first = list(islice(outcomes, COUNT - 1))
    server.repair(key)
    last = list(outcomes)

    assert sorted(values(first)) == [n for n in range(COUNT) if n != 3]
    assert values(last) == [3]


def test_reading_continues_at_an_offset(client: Client, key: str) -> None:
    run = started(client, "Redriven", key)
    first = list(islice(run.outcomes(), 5))

    rest = list(run.outcomes(first[-1].offset + 1))

    assert sorted(values([*first, *rest])) == list(range(COUNT))


def test_outcomes_are_read_again_after_the_end(client: Client, key: str) -> None:
    run = started(client, "Redriven", key)
    run.result(60)

    assert len(list(run.outcomes())) == COUNT


def test_the_outcomes_of_a_run_that_fails_end_too(client: Client, key: str) -> None:
    policy = {"tolerated_failure_percentage": 0}
    run = started(client, "Redriven", key, bad=[0], policy=policy)

    outcomes = list(run.outcomes())

    assert "0 is bad" in [each.failure.message for each in outcomes if each.failure]
    with pytest.raises(RunFailed):
        run.result(60)


@pytest.mark.anyio
async def test_outcomes_are_read_without_blocking(server: Server, key: str) -> None:
    task: dict[str, Any] = {"key": key, "count": 20, "policy": {"stream": True}}
    async with AsyncClient(server.ingress, server.admin) as client:
        run = await client.submit("Redriven", task)

        outcomes = [each async for each in run.outcomes()]

    assert sorted(values(outcomes)) == list(range(20))


def test_a_run_without_stream_says_how_to_set_it(client: Client, key: str) -> None:
    run = client.submit("Redriven", {"key": key, "count": 2})
    run.result(60)

    with pytest.raises(Refused, match=r"set Policy\(stream=True\)"):
        list(run.outcomes())


def test_the_outcomes_of_an_unknown_run_are_an_error(client: Client) -> None:
    with pytest.raises(UnknownRun):
        list(client.attach("Redriven", "17").outcomes())


def test_a_batch_that_combines_its_values_is_refused(server: Server, key: str) -> None:
    policy = {"stream": True, "max_items_per_batch": 5}
    task = {"key": key, "count": 2, "policy": policy}

    answer = server.run("RedrivenCombined", task)

    assert answer.status_code == 400
    assert "a batch combines its values: use max_items_per_batch=1" in error(answer)


def test_outcomes_are_read_over_http(server: Server, key: str) -> None:
    task = {"key": key, "count": 3, "bad": [1], "policy": ALL_SETTLED}
    run = server.run("Redriven", task).headers["x-restate-id"]
    url = f"{server.ingress}/restate/call/FanOutOutcomes/{run}/read"

    def read() -> dict[str, Any]:
        return HTTP.post(url, json=0).raise_for_status().json()

    while not (part := read())["is_last"]:
        pass
    assert sorted(each["index"] for _, each in part["outcomes"]) == [0, 1, 2]


def test_the_outcomes_of_a_redrive_are_those_that_it_executes(
    server: Server, client: Client, key: str
) -> None:
    run = started(client, "Redriven", key, bad=[3, 7])
    run.result(60)
    Trial(server, "Redriven", key, COUNT).repair()

    redrive = run.redrive()

    assert sorted(values(list(redrive.outcomes()))) == [3, 7]
