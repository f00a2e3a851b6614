"""Promises over a real restate-server: settled once, by any process."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports

from .conftest import HTTP, Server, error, suspend_at_each_await
from .processes import eventually


@pytest.fixture(scope="module", params=["plain", "replay"])
def worker(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server, and a worker for the promises alone."""
    module = str(Path(__file__).with_name("joins.py"))
    targets = [f"{module}:promises", f"{module}:await_fan_out"]
    with local(targets, ports=Ports(0, 0, 0)) as started:
        if request.param == "replay":
            suspend_at_each_await(started)
        yield Server(started.ingress, started.admin)


def called(worker: Server, key: str, handler: str, **more: Any) -> httpx.Response:
    return HTTP.post(f"{worker.ingress}/restate/call/Promise/{key}/{handler}", **more)


def waiting(worker: Server, key: str) -> int:
    """How many waiters are known of a promise."""
    query = f"select key from state where service_key = '{key}' and key like 'waiter.%'"
    return len(worker.query(query))


def suspended(worker: Server, key: str) -> int:
    return len(
        worker.query(
            "select id from sys_invocation where target_service_name = 'Promise' and "
            f"target_service_key = '{key}' and status = 'suspended'"
        )
    )


@pytest.mark.parametrize("value", [7, "yes", None, [1, {"a": True}], {"é": 1.5}, False])
def test_a_promise_is_resolved_with_any_json(
    worker: Server, key: str, value: Any
) -> None:
    body = json.dumps(value)  # httpx sends None as an empty body
    headers = {"content-type": "application/json"}

    answer = called(worker, key, "resolve", content=body, headers=headers)

    assert answer.json() == {
        "first": True,
        "status": "resolved",
        "value": value,
        "rejection": None,
    }
    assert called(worker, key, "await").json() == value
    assert called(worker, key, "peek").json()["value"] == value


def test_a_promise_that_is_not_settled_is_pending(worker: Server, key: str) -> None:
    answer = called(worker, key, "peek")

    assert answer.json() == {"status": "pending", "value": None, "rejection": None}


def test_the_first_answer_counts(worker: Server, key: str) -> None:
    called(worker, key, "resolve", json="first")

    answers = [
        called(worker, key, "resolve", json="second").json(),
        called(worker, key, "reject", json="third").json(),
    ]

    assert [(each["first"], each["value"]) for each in answers] == [
        (False, "first"),
        (False, "first"),
    ]
    assert called(worker, key, "await").json() == "first"


def test_one_of_many_answers_at_once_counts(worker: Server, key: str) -> None:
    def resolve(value: int) -> dict[str, Any]:
        return called(worker, key, "resolve", json=value).json()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(resolve, range(32)))

    first = [each["value"] for each in answers if each["first"]]
    assert len(first) == 1
    assert {each["value"] for each in answers} == set(first)


def test_waiters_receive_the_value_and_are_suspended_meanwhile(
    worker: Server, key: str
) -> None:
    with ThreadPoolExecutor(20) as pool:
        waiters: list[Future[httpx.Response]] = [
            pool.submit(called, worker, key, "await") for _ in range(20)
        ]
        eventually(lambda: waiting(worker, key) == 20)
        eventually(lambda: suspended(worker, key) == 20)
        called(worker, key, "resolve", json={"amount": 5})

        answers = [each.result().json() for each in waiters]

    assert answers == [{"amount": 5}] * 20
    assert waiting(worker, key) == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [("too expensive", 422), ({"message": "too expensive", "code": 403}, 403)],
)
def test_a_rejection_is_an_error_for_each_waiter(
    worker: Server, key: str, body: object, code: int
) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(called, worker, key, "await")
        eventually(lambda: waiting(worker, key) == 1)
        answer = called(worker, key, "reject", json=body).json()

        assert waiter.result().status_code == code

    late = called(worker, key, "await")
    assert (late.status_code, error(late)) == (code, "too expensive")
    assert answer["rejection"] == {"message": "too expensive", "code": code}


@pytest.mark.parametrize(
    ("handler", "body"),
    [
        ("resolve", b"{"),
        ("resolve", b""),
        ("reject", b"7"),
        ("reject", b'{"code": 422}'),
        ("reject", b'{"message": "no", "code": 200}'),
    ],
)
def test_a_bad_body_settles_nothing(
    worker: Server, key: str, handler: str, body: bytes
) -> None:
    headers = {"content-type": "application/json"}

    answer = called(worker, key, handler, content=body, headers=headers)

    assert answer.status_code == 400
    assert called(worker, key, "peek").json()["status"] == "pending"


def test_a_promise_is_forgotten_after_its_retention(worker: Server, key: str) -> None:
    called(worker, key, "resolve", json=1)

    def is_pending() -> bool:
        return called(worker, key, "peek").json()["status"] == "pending"

    eventually(is_pending)
    assert called(worker, key, "resolve", json=2).json()["first"]


def test_a_disposed_promise_can_be_settled_again(worker: Server, key: str) -> None:
    called(worker, key, "resolve", json=1)

    called(worker, key, "dispose").raise_for_status()

    assert called(worker, key, "resolve", json=2).json()["first"]


def test_waiters_of_a_disposed_promise_receive_an_error(
    worker: Server, key: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(called, worker, key, "await")
        eventually(lambda: waiting(worker, key) == 1)
        called(worker, key, "dispose").raise_for_status()

        answer = waiter.result()

    assert (answer.status_code, error(answer)) == (410, "the promise was disposed")


def test_a_cancelled_waiter_is_forgotten(worker: Server, key: str) -> None:
    url = f"{worker.ingress}/restate/send/Promise/{key}/await"
    waiter = HTTP.post(url).json()["invocationId"]
    eventually(lambda: waiting(worker, key) == 1)

    worker.cancel(waiter)

    eventually(lambda: waiting(worker, key) == 0)


def test_handler_code_waits_for_a_promise(worker: Server, key: str) -> None:
    run = worker.send("Awaits", [f"{key}a", f"{key}b"])["invocationId"]
    eventually(lambda: waiting(worker, f"{key}a") == 1)
    called(worker, f"{key}a", "resolve", json=3)
    called(worker, f"{key}b", "resolve", json=4)

    assert worker.attach(run).json() == 7
