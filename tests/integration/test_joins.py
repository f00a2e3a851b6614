"""Joins over a real restate-server: the events of a key become the task of one run."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from parallelizework.client import Client
from parallelizework.local.dev import local
from parallelizework.local.ports import Ports
from parallelizework.local.worker import serve

from .conftest import HTTP, Server, error, suspend_at_each_await
from .processes import eventually

Json = dict[str, Any]
WITHIN = 1.5  # seconds; of the join `Within`


@pytest.fixture(scope="module", params=["plain", "replay"])
def worker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server, and a worker for the joins alone."""
    folder = tmp_path_factory.mktemp("repaired")
    module = str(Path(__file__).with_name("joins.py"))
    environment = {"JOINS_FOLDER": str(folder)}
    with local([module], ports=Ports(0, 0, 0), environment=environment) as started:
        if request.param == "replay":
            suspend_at_each_await(started)
        yield Server(started.ingress, started.admin, folder)


def called(
    worker: Server, join: str, key: str, handler: str, **more: Any
) -> httpx.Response:
    return HTTP.post(f"{worker.ingress}/restate/call/{join}/{key}/{handler}", **more)


def added(worker: Server, join: str, key: str, **event: str) -> Json:
    answer = called(worker, join, key, "add", json=event)
    return answer.raise_for_status().json()


def state(worker: Server, join: str, key: str) -> Json:
    return called(worker, join, key, "get").raise_for_status().json()


def results(worker: Server, join: str, key: str, count: int = 1) -> list[Json]:
    """The results of the runs of a key, as soon as so many runs have started."""

    def runs() -> list[str]:
        return [e["run"] for e in state(worker, join, key)["runs"] if e["run"]]

    eventually(lambda: len(runs()) >= count)
    return [worker.attach(run).raise_for_status().json() for run in runs()]


def test_enough_events_become_the_task_of_one_run(worker: Server, key: str) -> None:
    counts = [added(worker, "Three", key, id=f"e{n}")["count"] for n in range(3)]

    assert counts == [1, 2, 3]
    expected = {"key": key, "reason": "ENOUGH", "ids": ["e0", "e1", "e2"]}
    assert results(worker, "Three", key) == [expected]


def test_without_task_the_list_of_the_events_is_the_task(
    worker: Server, key: str
) -> None:
    added(worker, "Plain", key, text="four")
    added(worker, "Plain", key, text="seven")

    assert results(worker, "Plain", key) == [9]


def test_the_events_of_two_keys_are_collected_separately(
    worker: Server, key: str
) -> None:
    for number in range(2):
        added(worker, "Three", f"{key}a", id=f"{number}")
        added(worker, "Three", f"{key}b", id=f"{number}")

    assert state(worker, "Three", f"{key}a")["count"] == 2
    assert state(worker, "Three", f"{key}b")["runs"] == []


def test_events_that_come_at_once_are_neither_lost_nor_counted_twice(
    worker: Server, key: str
) -> None:
    ids = [f"e{number}" for number in range(60)]

    def add(id_: str) -> Json:
        return added(worker, "Three", key, id=id_)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(add, ids * 2))

    found = results(worker, "Three", key, count=20)

    assert [len(each["ids"]) for each in found] == [3] * 20
    assert sorted(id_ for each in found for id_ in each["ids"]) == sorted(ids)


def test_a_late_event_begins_a_new_round(worker: Server, key: str) -> None:
    for number in range(4):
        added(worker, "Three", key, id=f"e{number}")

    now = state(worker, "Three", key)
    assert (now["round"], now["count"]) == (2, 1)


def test_an_event_with_a_known_id_does_not_count_again(
    worker: Server, key: str
) -> None:
    for number in range(3):
        added(worker, "Three", key, id=f"e{number}")
    results(worker, "Three", key)

    again = [added(worker, "Three", key, id=f"e{number}") for number in range(3)]

    assert [each["is_duplicate"] for each in again] == [True] * 3
    assert state(worker, "Three", key)["count"] == 0


def test_an_event_with_a_known_idempotency_key_does_not_count_again(
    worker: Server, key: str
) -> None:
    headers = {"idempotency-key": "evt_1"}
    for _ in range(5):
        called(worker, "Large", key, "add", json={}, headers=headers)

    assert state(worker, "Large", key)["count"] == 1


def test_ids_are_forgotten_after_their_retention(worker: Server, key: str) -> None:
    added(worker, "Forgetful", key, id="e")
    assert added(worker, "Forgetful", key, id="e")["is_duplicate"]

    eventually(lambda: not added(worker, "Forgetful", key, id="e")["is_duplicate"])

    assert results(worker, "Forgetful", key)[0]["ids"] == ["e", "e"]


def test_a_key_without_events_is_forgotten(worker: Server, key: str) -> None:
    added(worker, "Forgetful", key, id="a")
    added(worker, "Forgetful", key, id="b")
    results(worker, "Forgetful", key)

    left = f"select key from state where service_key = '{key}'"
    eventually(lambda: not worker.query(left))


def test_a_forgotten_key_starts_another_run(worker: Server, key: str) -> None:
    left = f"select key from state where service_key = '{key}'"
    for name in ("first", "second"):
        added(worker, "Forgetful", key, id=f"{name}a")
        added(worker, "Forgetful", key, id=f"{name}b")

        found = results(worker, "Forgetful", key)[0]

        assert found["ids"] == [f"{name}a", f"{name}b"]
        eventually(lambda: not worker.query(left))


@pytest.mark.parametrize("body", [b'{"id": 7}', b"[]", b"{", b"null"])
def test_an_event_of_another_type_is_refused(
    worker: Server, key: str, body: bytes
) -> None:
    added(worker, "Three", key, id="e0")
    headers = {"content-type": "application/json"}

    answer = called(worker, "Three", key, "add", content=body, headers=headers)

    assert answer.status_code == 400
    assert "an event of Three" in error(answer)
    assert state(worker, "Three", key)["count"] == 1


def test_an_event_needs_an_id_if_there_is_id_of(worker: Server, key: str) -> None:
    answer = called(worker, "Three", key, "add", json={"id": ""})

    assert answer.status_code == 400
    assert "an id is a text of 1 to 512 characters" in error(answer)


def test_an_event_that_is_too_large_is_refused(worker: Server, key: str) -> None:
    answer = called(worker, "Large", key, "add", json={"text": "x" * 2**20})

    assert answer.status_code == 413
    assert "larger than 1 MiB" in error(answer)


def test_a_round_with_too_many_bytes_ends(worker: Server, key: str) -> None:
    for number in range(9):
        added(worker, "Large", key, id=f"e{number}", text="x" * 1_000_000)

    found = results(worker, "Large", key)

    assert found == [
        {"key": key, "reason": "FULL", "ids": [f"e{number}" for number in range(9)]}
    ]


def test_a_round_expires(worker: Server, key: str) -> None:
    added(worker, "Within", key, id="a")
    added(worker, "Within", key, id="b")

    found = results(worker, "Within", key)

    assert found == [{"key": key, "reason": "EXPIRED", "ids": ["a", "b"]}]


def test_the_timer_of_an_earlier_round_does_not_end_the_next_one(
    worker: Server, key: str
) -> None:
    added(worker, "Within", key, id="a")
    sleep(WITHIN / 2)
    called(worker, "Within", key, "close")
    start = monotonic()
    added(worker, "Within", key, id="b")

    results(worker, "Within", key, count=2)

    assert monotonic() - start >= WITHIN
    reasons = [run["reason"] for run in state(worker, "Within", key)["runs"]]
    assert reasons == ["CLOSED", "EXPIRED"]


def test_a_round_ends_when_no_event_has_come_for_a_time(
    worker: Server, key: str
) -> None:
    for number in range(4):
        added(worker, "Quiet", key, id=f"e{number}")

    found = results(worker, "Quiet", key)

    assert found == [
        {"key": key, "reason": "QUIET", "ids": ["e0", "e1", "e2", "e3"]},
    ]


def test_a_function_decides_which_events_are_enough(worker: Server, key: str) -> None:
    added(worker, "Complete", key, id="a", kind="paid")
    added(worker, "Complete", key, id="b", kind="paid")
    added(worker, "Complete", key, id="c", kind="packed")

    found = results(worker, "Complete", key)

    assert found == [{"key": key, "reason": "ENOUGH", "ids": ["a", "b", "c"]}]


def test_a_function_is_called_for_each_event_in_turn(worker: Server, key: str) -> None:
    """Events that come while the function runs belong to the next round."""
    kinds = ["paid", "packed"] * 20

    def add(numbered: tuple[int, str]) -> None:
        number, kind = numbered
        added(worker, "Complete", key, id=str(number), kind=kind)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, enumerate(kinds)))
    eventually(lambda: not state(worker, "Complete", key)["count"] or True)
    called(worker, "Complete", key, "close")

    def is_started() -> bool:
        return all(run["run"] for run in state(worker, "Complete", key)["runs"])

    eventually(is_started)
    found = results(worker, "Complete", key)
    ids = [id_ for each in found for id_ in each["ids"]]
    assert sorted(ids, key=int) == [str(number) for number in range(40)]


def test_a_round_can_be_closed(worker: Server, key: str) -> None:
    added(worker, "Three", key, id="a")

    answer = called(worker, "Three", key, "close")

    assert answer.json()["count"] == 0
    assert results(worker, "Three", key) == [
        {"key": key, "reason": "CLOSED", "ids": ["a"]}
    ]


def test_closing_without_events_starts_no_run(worker: Server, key: str) -> None:
    answer = called(worker, "Three", key, "close")

    assert answer.json() == {
        "round": 1,
        "count": 0,
        "since": None,
        "problem": None,
        "runs": [],
    }


def test_events_are_kept_while_until_fails(worker: Server, key: str) -> None:
    added(worker, "Fragile", key, id="a", text=key)
    eventually(lambda: state(worker, "Fragile", key)["problem"] is not None)
    assert state(worker, "Fragile", key)["problem"] == "until is broken"
    worker.folder.joinpath(key).touch()

    called(worker, "Fragile", key, "retry").raise_for_status()

    assert results(worker, "Fragile", key)[0]["ids"] == ["a"]
    assert state(worker, "Fragile", key)["problem"] is None


def test_the_next_event_calls_until_again(worker: Server, key: str) -> None:
    added(worker, "Fragile", key, id="a", text=key)
    eventually(lambda: state(worker, "Fragile", key)["problem"] is not None)
    worker.folder.joinpath(key).touch()

    added(worker, "Fragile", key, id="b", text=key)

    found = results(worker, "Fragile", key, count=2)
    assert [each["ids"] for each in found] == [["a"], ["b"]]


def test_events_are_kept_while_task_fails(worker: Server, key: str) -> None:
    for id_ in ("a", "b", "c"):
        added(worker, "FragileTask", key, id=id_)

    def problem() -> str | None:
        return state(worker, "FragileTask", key)["runs"][0]["problem"]

    eventually(lambda: problem() is not None)
    assert problem() == "task is broken"
    assert state(worker, "FragileTask", key)["count"] == 1
    worker.folder.joinpath(key).touch()

    called(worker, "FragileTask", key, "retry").raise_for_status()

    assert results(worker, "FragileTask", key)[0]["ids"] == ["a", "b"]
    assert problem() is None


def test_the_events_of_a_run_are_removed(worker: Server, key: str) -> None:
    for number in range(4):
        added(worker, "Three", key, id=f"e{number}")
    results(worker, "Three", key)

    stored = "select key from state where key like 'event.%' and "
    eventually(
        lambda: worker.query(f"{stored} service_key = '{key}'") == [{"key": "event.3"}]
    )


def test_private_handlers_are_private(worker: Server, key: str) -> None:
    for handler in ("start", "check", "checked", "started", "forget", "discard"):
        assert called(worker, "Three", key, handler).status_code == 400


def test_the_ingress_shows_the_type_of_an_event(worker: Server) -> None:
    page = HTTP.get(f"{worker.admin}/services/Three/openapi").raise_for_status()

    assert '"kind"' in page.text
    assert '"is_duplicate"' in page.text


def test_a_run_starts_when_its_fan_out_is_served(tmp_path: Path) -> None:
    module = str(Path(__file__).with_name("joins.py"))
    port = Ports(0, 0, 0).chosen().worker
    environment = {**os.environ, "JOINS_FOLDER": str(tmp_path)}
    with local([f"{module}:within"], ports=Ports(0, 0, 0)) as started:
        worker = Server(started.ingress, started.admin)
        added(worker, "Within", "order", id="a")
        called(worker, "Within", "order", "close")
        retried = "select id from sys_invocation where status = 'backing-off'"
        eventually(lambda: bool(worker.query(retried)))

        with (
            serve([f"{module}:received"], port, environment=environment),
            Client(started.ingress, started.admin) as client,
        ):
            client.register(f"http://127.0.0.1:{port}")

            found = results(worker, "Within", "order")

    assert found == [{"key": "order", "reason": "CLOSED", "ids": ["a"]}]
