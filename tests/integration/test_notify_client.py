"""The client and the command line: a result in time, or a notification later."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import JsonValue

from parallelizework.client import AsyncClient, AsyncRun, Client, Run
from parallelizework.errors import Refused, RunFailed, RunNotFinished
from parallelizework.local.dev import Local, local
from parallelizework.local.ports import Ports
from parallelizework.notifications import Email, WebhookUrl

from .conftest import ROOT, Server
from .fan_outs.ledger import repair
from .processes import eventually, output_of
from .receivers.mail import MailServer, mail_server
from .test_cli import addresses
from .test_notifications import MODULE

FAN_OUT = "Notified"


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def system(mails: MailServer) -> Iterator[Local]:
    environment = {
        "PARALLELIZEWORK_SMTP_URL": f"smtp+plain://127.0.0.1:{mails.port}",
        "PARALLELIZEWORK_SMTP_SENDER": "runs@example.com",
    }
    with local([MODULE], ports=Ports(0, 0, 0), environment=environment) as started:
        yield started


@pytest.fixture
def client(system: Local) -> Iterator[Client]:
    with Client(system.ingress, system.admin) as client:
        yield client


@pytest.fixture
def where(system: Local) -> dict[str, str]:
    return addresses(Server(system.ingress, system.admin))


@pytest.fixture
def key() -> str:
    return uuid4().hex


def task(*numbers: int, key: str = "") -> JsonValue:
    return {"key": key, "numbers": [*numbers]}


def until_notified(mails: MailServer, address: str, run: str) -> None:
    eventually(lambda: bool(mails.accepted[address]))
    [mail] = mails.accepted[address]
    assert run in mail["Subject"]


def test_a_submitted_run_notifies(client: Client, mails: MailServer, key: str) -> None:
    to = [Email(f"{key}@example.com"), Email(f"{key}@example.com")]

    run = client.submit(FAN_OUT, task(1), notify=to)

    until_notified(mails, to[0].address, run.id)
    assert mails.accepted[to[0].address][0]["Subject"].startswith("Notified succeeded")


def test_submits_with_the_same_key_notify_once(
    client: Client, mails: MailServer, key: str
) -> None:
    to = Email(f"{key}@example.com")

    runs = [
        client.submit(FAN_OUT, task(1), idempotency_key=key, notify=to)
        for _ in range(2)
    ]
    runs[1].notify(to)

    eventually(lambda: len(mails.accepted[to.address]) == 2)
    assert len(mails.ids(to.address)) == 2


def test_a_run_that_has_ended_notifies_later(
    client: Client, mails: MailServer, key: str
) -> None:
    run = client.submit(FAN_OUT, task(1))
    run.result(60)

    run.notify(Email(f"{key}@example.com"))

    until_notified(mails, f"{key}@example.com", run.id)


def test_a_result_in_time_notifies_nobody(
    client: Client, mails: MailServer, key: str
) -> None:
    result = client.run(FAN_OUT, task(2), then=Email(f"{key}@example.com"))

    assert result == {"total": 2, "text": ""}
    assert not mails.received[f"{key}@example.com"]


def test_a_run_that_takes_longer_is_returned_and_notifies(
    client: Client, mails: MailServer, key: str
) -> None:
    then = Email(f"{key}@example.com")

    run = client.run(FAN_OUT, task(2, key=key), wait=0.1, then=then)

    assert isinstance(run, Run)
    repair(key)
    until_notified(mails, then.address, run.id)
    assert run.result(60) == {"total": 2, "text": ""}


@pytest.mark.anyio
async def test_the_async_client_does_the_same(
    system: Local, mails: MailServer, key: str
) -> None:
    then = Email(f"{key}@example.com")
    async with AsyncClient(system.ingress, system.admin) as client:
        run = await client.run(FAN_OUT, task(2, key=key), wait=0.1, then=then)
        assert isinstance(run, AsyncRun)
        repair(key)
        assert await run.result(60) == {"total": 2, "text": ""}

    until_notified(mails, then.address, run.id)


def test_without_a_receiver_a_run_that_takes_longer_is_an_error(
    client: Client, key: str
) -> None:
    with pytest.raises(RunNotFinished):
        client.run(FAN_OUT, task(2, key=key), wait=0.1)

    repair(key)


def test_a_failure_in_time_is_raised(
    client: Client, mails: MailServer, key: str
) -> None:
    with pytest.raises(RunFailed, match="-1 is negative"):
        client.run(FAN_OUT, task(-1), then=Email(f"{key}@example.com"))

    assert not mails.received[f"{key}@example.com"]


def test_no_run_starts_if_a_receiver_cannot_be_notified(client: Client) -> None:
    before = len(client.recent(100))

    with pytest.raises(Refused, match="the worker has no secret for signatures"):
        client.submit(FAN_OUT, task(1), notify=WebhookUrl("http://127.0.0.1/"))
    with pytest.raises(Refused, match="the worker has no secret for signatures"):
        client.run(FAN_OUT, task(1), then=WebhookUrl("http://127.0.0.1/"))

    assert len(client.recent(100)) == before


def test_the_command_line_notifies(
    mails: MailServer, where: dict[str, str], key: str
) -> None:
    notify = ["--notify", f"mailto:{key}@example.com"]

    run = output_of(
        "run", FAN_OUT, '{"numbers": [1]}', "--detach", *notify, where=where
    ).strip()

    until_notified(mails, f"{key}@example.com", run)


def test_the_command_line_with_wait_notifies_only_if_the_run_takes_longer(
    mails: MailServer, where: dict[str, str], key: str
) -> None:
    notify = ["--notify", f"mailto:{key}@example.com", "--wait"]
    slow = f'{{"key": "{key}", "numbers": [1]}}'

    soon = output_of("run", FAN_OUT, '{"numbers": [1]}', *notify, "60s", where=where)
    late = output_of("run", FAN_OUT, slow, *notify, "0.5s", where=where)
    last = ["--notify", f"mailto:{key}@example.org", "--wait", "60s"]
    last += ["--timeout", "0.5s"]
    failed = output_of("run", FAN_OUT, slow, *last, where=where, code=1)

    assert soon.endswith('{"total": 1, "text": ""}\n')
    repair(key)
    until_notified(mails, f"{key}@example.com", late.splitlines()[-1])
    [run] = set(re.findall(r"inv_\w+", failed))
    until_notified(mails, f"{key}@example.org", run)


@pytest.mark.parametrize("url", ["me@example.com", "ftp://example.com/"])
def test_a_wrong_receiver_is_a_usage_error(where: dict[str, str], url: str) -> None:
    printed = output_of(
        "run", FAN_OUT, '{"numbers": [1]}', "--notify", url, where=where, code=2
    )

    assert "is not a receiver: use a URL that begins with https://" in printed


def test_without_the_service_the_error_says_who_serves_it(tmp_path: Path) -> None:
    targets = [str(Path(ROOT) / "examples" / "wordcount.py")]
    with (
        local(targets, ports=Ports(0, 0, 0), data=tmp_path) as started,
        Client(started.ingress, started.admin) as client,
        pytest.raises(Refused, match="no worker serves FanOutNotify: add FanOutNotify"),
    ):
        client.submit("WordCount", None, notify=Email("me@example.com"))
