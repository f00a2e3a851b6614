"""Webhooks over a real restate-server: what they receive, refuse and deliver."""

import base64
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from parallelizework.client import Client
from parallelizework.events.webhooks.signatures.signed import sha256
from parallelizework.local.dev import local
from parallelizework.local.ports import Ports
from parallelizework.local.server import local_server
from parallelizework.local.worker import serve
from parallelizework.testing import Serve

from .conftest import HTTP, Server, error
from .processes import eventually
from .webhooks import orders, shop

KEY = b"a secret of thirty bytes, or so"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
JSON = {"content-type": "application/json"}  # restate-server refuses a body without it


@pytest.fixture(scope="module")
def worker() -> Iterator[Server]:
    """A server, and a worker for the webhooks alone."""
    module = str(Path(__file__).with_name("webhooks.py"))
    environment = {"SHOP_SECRET": SECRET}
    with local([module], ports=Ports(0, 0, 0), environment=environment) as started:
        yield Server(started.ingress, started.admin, worker=started.worker)


def signed(id_: str, body: bytes, key: bytes = KEY) -> dict[str, str]:
    """The headers of a request by the sender."""
    timestamp = str(int(time.time()))
    signature = sha256(key, f"{id_}.{timestamp}.".encode() + body)
    return JSON | {
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def posted(
    worker: Server,
    payment: str,
    id_: str = "evt_1",
    *,
    path: str = "Shop/receive",
    key: bytes = KEY,
    **more: Any,
) -> httpx.Response:
    """Send an event of a payment."""
    event = {"type": "paid", "payment": payment, "amount": 7} | more
    body = json.dumps(event).encode()
    headers = signed(id_, body, key)
    return HTTP.post(f"{worker.ingress}/{path}", content=body, headers=headers)


def mailbox(worker: Server, key: str) -> dict[str, Any]:
    path = f"restate/call/FanOutMailbox/{quote(key, safe='')}/get"
    return HTTP.post(f"{worker.ingress}/{path}").json()


def waiting_run(worker: Server, *keys: str, seconds: float = 60) -> str:
    """A run whose subtasks wait for events."""
    task = {"keys": [f"Shop/{key}" for key in keys], "seconds": seconds}
    run = worker.send("Orders", task)["invocationId"]
    for key in keys:
        eventually(lambda k=key: mailbox(worker, f"Shop/{k}")["waiting"] == 1)
    return run


def kept(worker: Server, key: str) -> None:
    """Wait until an event without a subtask is kept."""
    eventually(lambda: mailbox(worker, f"Shop/{key}")["has_event"])


def test_a_subtask_that_waits_receives_its_event(worker: Server, key: str) -> None:
    run = waiting_run(worker, key)

    answer = posted(worker, key)

    assert answer.status_code == 200
    assert answer.content == b""
    assert worker.attach(run).json() == ["7 by evt_1"]


def test_an_early_event_is_kept_for_its_subtask(worker: Server, key: str) -> None:
    assert posted(worker, key).is_success

    result = worker.run("Orders", {"keys": [f"Shop/{key}"]}).json()

    assert result == ["7 by evt_1"]


def test_an_event_that_comes_twice_counts_once(worker: Server, key: str) -> None:
    run = waiting_run(worker, key)
    assert posted(worker, key).is_success
    assert worker.attach(run).json() == ["7 by evt_1"]

    again = posted(worker, key)

    assert again.status_code == 200
    late = worker.run("Orders", {"keys": [f"Shop/{key}"], "seconds": 0.5}).json()
    assert late == ["504 no answer came within 0.5 s"]


def test_the_first_of_two_early_events_counts(worker: Server, key: str) -> None:
    assert posted(worker, key).is_success
    kept(worker, key)
    assert posted(worker, key, "evt_2", amount=8).is_success

    result = worker.run("Orders", {"keys": [f"Shop/{key}"]}).json()

    assert result == ["7 by evt_1"]


def test_a_late_event_is_accepted_and_changes_nothing(worker: Server, key: str) -> None:
    run = waiting_run(worker, key, seconds=0.5)
    assert worker.attach(run).json() == ["504 no answer came within 0.5 s"]

    late = posted(worker, key)

    assert late.status_code == 200
    assert worker.attach(run).json() == ["504 no answer came within 0.5 s"]


def test_a_foreign_event_reaches_no_subtask(worker: Server, key: str) -> None:
    run = waiting_run(worker, key)
    assert posted(worker, f"{key}-of-others").is_success
    kept(worker, f"{key}-of-others")

    assert mailbox(worker, f"Shop/{key}") == {"waiting": 1, "has_event": False}
    assert posted(worker, key).is_success
    assert worker.attach(run).json() == ["7 by evt_1"]


def test_a_forged_event_is_refused_and_reaches_no_subtask(
    worker: Server, key: str
) -> None:
    run = waiting_run(worker, key)

    forged = posted(worker, key, key=b"another key")

    assert forged.status_code == 400
    assert error(forged) == "refused: the signature is wrong: compare the secrets"
    assert mailbox(worker, f"Shop/{key}") == {"waiting": 1, "has_event": False}
    assert posted(worker, key).is_success
    assert worker.attach(run).json() == ["7 by evt_1"]


def test_an_event_may_fail_its_subtask(worker: Server, key: str) -> None:
    run = waiting_run(worker, key)

    assert posted(worker, key, declined=True).is_success

    assert worker.attach(run).json() == [f"402 Shop/{key} was declined"]


def test_each_of_many_subtasks_receives_its_own_event(worker: Server, key: str) -> None:
    keys = [f"{key}-{number}" for number in range(10)]
    run = waiting_run(worker, *keys)

    for number, each in enumerate(keys):
        assert posted(worker, each, f"evt_{number}", amount=number).is_success

    expected = [f"{number} by evt_{number}" for number in range(10)]
    assert worker.attach(run).json() == expected


@pytest.mark.parametrize("form", ["Shop/receive", "restate/call/Shop/receive"])
def test_both_paths_verify_first(worker: Server, key: str, form: str) -> None:
    assert posted(worker, key, path=form).status_code == 200
    assert posted(worker, key, path=form, key=b"other").status_code == 400


def test_a_sent_request_is_accepted_at_once_and_verified_later(
    worker: Server, key: str
) -> None:
    run = waiting_run(worker, key)
    path = "restate/send/Shop/receive"

    forged = posted(worker, key, "evt_0", path=path, key=b"other", amount=1)
    assert forged.status_code == 202
    worker.attach(forged.json()["invocationId"])
    right = posted(worker, key, path=path)

    assert right.status_code == 202
    assert worker.attach(run).json() == ["7 by evt_1"]


@pytest.mark.parametrize("path", ["Mirror/receive", "restate/call/Mirror/receive"])
@pytest.mark.parametrize(
    "body", [b"\xff\x00\r\n", b"a=1&b=%20", b'{ "a" :1}\n', b""], ids=range(4)
)
def test_the_exact_request_is_received(worker: Server, path: str, body: bytes) -> None:
    url = f"{worker.ingress}/{path}?a=%C3%A9&b=1&b=2"
    types = {"content-type": "application/x-www-form-urlencoded"} if body else {}

    answer = HTTP.post(url, content=body, headers={"X-Event": "Paid"} | types)

    received = answer.json()
    assert bytes.fromhex(received["body"]) == body
    assert received["query"] == {"a": "é", "b": "2"}
    assert received["headers"]["x-event"] == "Paid"
    assert answer.headers["content-type"] == "application/json"


def test_a_challenge_is_answered_as_plain_text(worker: Server) -> None:
    query = {"hub.challenge": "<b>42</b>", "hub.mode": "subscribe"}

    answer = HTTP.get(f"{worker.ingress}/Hub/receive", params=query)

    assert answer.status_code == 200
    assert answer.text == "<b>42</b>"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_an_ignored_request_is_a_success(worker: Server) -> None:
    body = b'{"type": "refunded"}'
    url = f"{worker.ingress}/Shop/receive"

    answer = HTTP.post(url, content=body, headers=signed("evt_1", body))

    assert answer.status_code == 200
    assert answer.content == b""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "ValueError('EOF while parsing"),
        (b"{}", "KeyError('type')"),
        (b"[]", "TypeError("),
        (b"\xff", "ValueError("),
        (b'{"type": "paid", "payment": 7}', "ValueError('the key of an event is 7"),
    ],
    ids=range(5),
)
def test_a_signed_body_that_cannot_be_read_is_a_400(
    worker: Server, body: bytes, message: str
) -> None:
    url = f"{worker.ingress}/Shop/receive"

    answer = HTTP.post(url, content=body, headers=signed("evt_1", body))

    assert answer.status_code == 400
    assert error(answer).startswith("event of Shop (webhooks.py:")
    assert f" cannot read the request: {message}" in error(answer)


def test_async_functions_verify_and_read(worker: Server, key: str) -> None:
    form = {"payment": key, "amount": "7"}
    url = f"{worker.ingress}/Bank/receive"

    forged = HTTP.post(url, data=form, headers={"token": "wrong"})
    right = HTTP.post(url, data=form, headers={"token": "right"})

    assert forged.status_code == 400
    assert error(forged) == "refused: the header token is wrong"
    assert right.status_code == 200
    result = worker.run("Orders", {"keys": [f"Bank/{key}"]}).json()
    assert result == ["7 by None"]


def test_a_replay_does_not_verify_again(worker: Server, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    service = f"{worker.admin}/services/Counter"
    HTTP.patch(service, json={"inactivity_timeout": "0s"}).raise_for_status()

    url = f"{worker.ingress}/Counter/receive?calls={calls}"
    answer = HTTP.post(url, content=b"a", headers=JSON)

    assert answer.status_code == 200
    assert calls.read_text() == "verified\n"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("terminal", 410, "gone fishing"),
        ("network", 500, "failed: the log of the worker has the cause"),
        ("exit", 500, "failed: the log of the worker has the cause"),
        ("data", 500, "the data of an event of Counter"),
        ("type", 500, "failed: the log of the worker has the cause"),
        ("large", 413, "the event of Counter is larger than 6 MiB"),
    ],
)
def test_a_failed_event_is_not_tried_again(
    worker: Server, tmp_path: Path, body: str, status: int, message: str
) -> None:
    calls = tmp_path / "calls"

    url = f"{worker.ingress}/Counter/receive?calls={calls}"
    answer = HTTP.post(url, content=body, headers=JSON)

    assert answer.status_code == status
    assert message in error(answer)
    assert "secret-host" not in error(answer)
    assert calls.read_text() == "verified\n"


def test_a_request_that_is_too_large_is_a_413(worker: Server) -> None:
    url = f"{worker.ingress}/Mirror/receive"

    answer = HTTP.post(url, content=bytes(6 * 1024 * 1024 + 1), headers=JSON)

    assert answer.status_code == 413
    assert error(answer) == "the request of Mirror is larger than 6 MiB"


def test_the_largest_request_passes(worker: Server) -> None:
    body = json.dumps({"type": "other", "text": "x" * (6 * 1024 * 1024 - 40)}).encode()
    url = f"{worker.ingress}/Shop/receive"

    answer = HTTP.post(url, content=body, headers=signed("evt_1", body))

    assert answer.status_code == 200


def test_a_worker_without_a_secret_accepts_nothing(worker: Server) -> None:
    answer = posted(worker, "pay_1", path="NoSecret/receive")

    assert answer.status_code == 500
    assert "SECRET" not in error(answer).replace("NoSecret", "")
    assert "the log of the worker has the cause" in error(answer)


def test_a_stranger_does_not_learn_the_text_of_an_unexpected_error(
    worker: Server,
) -> None:
    answer = posted(worker, "pay_1", path="Crashing/receive")

    assert answer.status_code == 400
    assert error(answer) == "refused: the request is not valid"


def test_the_server_keeps_no_request(worker: Server, key: str) -> None:
    answer = posted(worker, key)

    id_ = answer.headers["x-restate-id"]
    sql = f"select id from sys_invocation where id = '{id_}'"
    eventually(lambda: not worker.query(sql))


def test_events_that_come_while_the_worker_is_away_are_delivered(
    tmp_path: Path, key: str
) -> None:
    module = str(Path(__file__).with_name("webhooks.py"))
    ports = Ports(0, 0, 0).chosen()
    environment = {**os.environ, "SHOP_SECRET": SECRET}
    with local_server(ports=ports, data=tmp_path) as started:
        server = Server(started.ingress, started.admin)
        with serve([module], ports.worker, environment=environment):
            with Client(started.ingress, started.admin) as client:
                client.register(f"http://127.0.0.1:{ports.worker}")
            run = waiting_run(server, f"{key}-1", f"{key}-2")

        sent = [
            posted(server, f"{key}-{n}", path="restate/send/Shop/receive")
            for n in (1, 1, 2)
        ]

        assert [answer.status_code for answer in sent] == [202] * 3
        with serve([module], ports.worker, environment=environment):
            assert server.attach(run).json() == ["7 by evt_1", "7 by evt_1"]


def test_no_event_is_lost_or_delivered_twice_while_the_worker_is_killed(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    keys = [f"{key}-{number}" for number in range(40)]
    with local_server(ports=Ports(0, 0, 0).chosen()) as started:
        server = Server(started.ingress, started.admin)
        with closing(Serve(started)) as serving, ThreadPoolExecutor(8) as pool:
            serving(shop, orders)
            run = waiting_run(server, *keys)

            sent = [
                pool.submit(posted, server, each, f"evt_{each}", amount=number)
                for number, each in enumerate(keys * 2)
            ]
            for count in (10, 30, 50):
                eventually(
                    lambda c=count: len([each for each in sent if each.done()]) >= c
                )
                serving.kill()
                serving.start()

            assert [each.result().status_code for each in sent] == [200] * 80
            values = server.attach(run).json()
            assert [int(value.split()[0]) % 40 for value in values] == list(range(40))
            none = {"waiting": 0, "has_event": False}
            assert all(mailbox(server, f"Shop/{each}") == none for each in keys)
