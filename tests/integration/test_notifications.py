"""FanOutNotify: webhooks and emails about the ends of runs, on a real server."""

from collections.abc import Iterator
from email.message import Message
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

import pytest

from parallelizework.local.dev import Local, local
from parallelizework.local.ports import Ports

from .conftest import HTTP, Server, error
from .fan_outs.ledger import repair
from .processes import eventually
from .receivers.certificate import make, server_tls
from .receivers.mail import LOST, PASSWORD, RESET, USER, MailServer, mail_server
from .receivers.webhook import SECRET, WebhookServer, webhook_server

MODULE = "tests.integration.receivers.fan_outs"
NO_RUN = "inv_1" + "0" * 33
OTHER_SECRET = "whsec_" + "b3RoZXIgc2VjcmV0IG9mIGEgdGVzdCwgMjQgYnl0ZXM="


@pytest.fixture(scope="module")
def webhooks() -> Iterator[WebhookServer]:
    with webhook_server() as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def mails(certificate: Path) -> Iterator[MailServer]:
    with mail_server(starttls=server_tls(certificate), has_login=True) as server:
        yield server


@pytest.fixture(scope="module")
def system(mails: MailServer, certificate: Path) -> Iterator[Local]:
    login = f"{USER}:{PASSWORD.replace('@', '%40').replace(':', '%3A')}"
    environment = {
        "PARALLELIZEWORK_NOTIFY_ALLOWED_HOSTS": "127.0.0.1",
        "PARALLELIZEWORK_NOTIFY_SECRETS": f"{OTHER_SECRET} {SECRET}",
        "PARALLELIZEWORK_SMTP_URL": f"smtp://{login}@localhost:{mails.port}",
        "PARALLELIZEWORK_SMTP_SENDER": "runs@example.com",
        "SSL_CERT_FILE": str(certificate),
    }
    with local([MODULE], ports=Ports(0, 0, 0), environment=environment) as started:
        yield started


@pytest.fixture
def own(system: Local) -> Server:
    return Server(system.ingress, system.admin)


@pytest.fixture
def key() -> str:
    return uuid4().hex


def notified(server: Server, run: str, *to: str) -> Any:
    """Have receivers notified, and wait until they were notified."""
    url = f"{server.ingress}/restate/call/FanOutNotify/whenDone"
    return HTTP.post(url, json={"run": run, "to": to})


def state_of(server: Server, invocation: str) -> str:
    [row] = server.query(f"select status from sys_invocation where id = '{invocation}'")
    return row["status"]


def text(message: Message) -> str:
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def run_of(server: Server, fan_out: str, **task: Any) -> str:
    """Start a run; return its id."""
    return server.send(fan_out, task)["invocationId"]


def test_a_run_in_flight_notifies_by_webhook_and_by_email(
    own: Server, webhooks: WebhookServer, mails: MailServer, key: str
) -> None:
    run = run_of(own, "Notified", key=key, numbers=[1, 2, 3])
    url = f"{own.ingress}/restate/send/FanOutNotify/whenDone"
    to = [f"{webhooks.url}/{key}", f"mailto:{key}@example.com"]
    sent = HTTP.post(url, json={"run": run, "to": to}).raise_for_status().json()
    eventually(lambda: state_of(own, sent["invocationId"]) == "suspended")
    assert not webhooks.received[f"/{key}"]

    repair(key)
    own.attach(sent["invocationId"]).raise_for_status()

    [webhook] = webhooks.received[f"/{key}"]
    assert webhook.body["type"] == "run.succeeded"
    assert webhook.body["data"] == {
        "run": run,
        "fan_out": "Notified",
        "state": "succeeded",
        "total": 3,
        "counts": {"succeeded": 3, "failed": 0, "timed_out": 0, "cancelled": 0},
        "reason": "ALL_COMPLETED",
        "error": None,
        "status": None,
        "labels": {},
        "has_result": True,
        "result": {"total": 6, "text": ""},
    }
    [mail] = mails.accepted[f"{key}@example.com"]
    assert mail["From"] == "runs@example.com"
    assert mail["Subject"] == f"Notified succeeded ({run})"
    assert text(mail).splitlines() == [
        "Notified succeeded.",
        "",
        f"run: {run}",
        "subtasks: 3 succeeded of 3",
        "reason: ALL_COMPLETED",
        'result: {"total":6,"text":""}',
    ]


def test_a_run_that_has_ended_notifies_its_receivers(
    own: Server, webhooks: WebhookServer, key: str
) -> None:
    run = run_of(own, "Notified", numbers=[1])
    own.attach(run).raise_for_status()

    notified(own, run, f"{webhooks.url}/{key}").raise_for_status()

    [webhook] = webhooks.received[f"/{key}"]
    assert webhook.body["data"]["state"] == "succeeded"
    assert webhook.body["data"]["result"] == {"total": 1, "text": ""}


def test_a_run_that_has_failed_notifies_its_receivers(
    own: Server, webhooks: WebhookServer, key: str
) -> None:
    run = run_of(own, "Notified", numbers=[-1, 2], policy={"max_concurrency": 1})

    notified(own, run, f"{webhooks.url}/{key}").raise_for_status()

    [webhook] = webhooks.received[f"/{key}"]
    data = webhook.body["data"]
    assert (webhook.body["type"], data["state"]) == ("run.failed", "failed")
    assert (data["fan_out"], data["status"]) == ("Notified", 422)
    assert data["error"].startswith("subtask 0 failed: -1 is negative")
    assert data["counts"]["failed"] == 1
    assert (data["total"], data["reason"]) == (2, "FAILURE_TOLERANCE_EXCEEDED")
    assert (data["has_result"], data["result"]) == (False, None)


@pytest.mark.parametrize(
    ("action", "state"), [("cancel", "cancelled"), ("kill", "killed")]
)
def test_a_run_that_is_ended_from_outside_notifies_its_receivers(
    own: Server, webhooks: WebhookServer, key: str, action: str, state: str
) -> None:
    run = run_of(own, "Notified", key=key, numbers=[1, 2])
    eventually(lambda: len(own.family(run)) == 3)
    url = f"{own.admin}/invocations/{run}/{action}"

    HTTP.patch(url).raise_for_status()
    notified(own, run, f"{webhooks.url}/{key}").raise_for_status()

    [webhook] = webhooks.received[f"/{key}"]
    assert webhook.body["type"] == f"run.{state}"
    assert webhook.body["data"]["error"] == state


def test_a_cancelled_notification_notifies_nobody(
    own: Server, webhooks: WebhookServer, key: str
) -> None:
    run = run_of(own, "Notified", key=key, numbers=[1])
    url = f"{own.ingress}/restate/send/FanOutNotify/whenDone"
    request = {"run": run, "to": [f"{webhooks.url}/{key}"]}
    waiting = HTTP.post(url, json=request).json()["invocationId"]
    eventually(lambda: state_of(own, waiting) == "suspended")

    own.cancel(waiting)

    answer = own.attach(waiting)
    assert (answer.status_code, error(answer)) == (409, "cancelled")
    repair(key)
    own.attach(run).raise_for_status()
    assert not webhooks.received[f"/{key}"]


def test_a_large_result_is_not_in_the_message(
    own: Server, webhooks: WebhookServer, mails: MailServer, key: str
) -> None:
    run = run_of(own, "Notified", numbers=[1], size=8 * 1024)
    to = [f"{webhooks.url}/{key}", f"mailto:{key}@example.com"]

    notified(own, run, *to).raise_for_status()

    [webhook] = webhooks.received[f"/{key}"]
    data = webhook.body["data"]
    assert (data["run"], data["has_result"], data["result"]) == (run, False, None)
    [mail] = mails.accepted[f"{key}@example.com"]
    assert f"parallelizework result {run}" in text(mail)


def test_a_run_of_another_service_notifies_its_receivers(
    own: Server, webhooks: WebhookServer, key: str
) -> None:
    url = f"{own.ingress}/restate/send/Plain/run"
    run = HTTP.post(url, json="hello").raise_for_status().json()["invocationId"]

    notified(own, run, f"{webhooks.url}/{key}").raise_for_status()

    [webhook] = webhooks.received[f"/{key}"]
    data = webhook.body["data"]
    assert (data["state"], data["result"]) == ("succeeded", "hello")
    assert (data["fan_out"], data["counts"]) == (None, None)


def test_an_unknown_run_is_an_error_at_once(own: Server) -> None:
    answer = notified(own, NO_RUN, "mailto:a@example.com")

    assert answer.status_code == 404
    assert error(answer).startswith(f"the server has no run {NO_RUN}: check the id")


@pytest.mark.parametrize(
    "run", ["", "inv_", "inv_1abc", "inv_1" + "z" * 33, "inv_2" + "0" * 33, "Notified"]
)
def test_a_malformed_id_is_an_error_at_once(own: Server, run: str) -> None:
    answer = notified(own, run, "mailto:a@example.com")

    assert answer.status_code == 400
    assert "is not the id of a run" in error(answer)


@pytest.mark.parametrize(
    ("to", "complaint"),
    [
        ([], "at least 1 item"),
        (["ftp://127.0.0.1/"], "begins with https://, http:// or mailto:"),
        (["http://u:p@127.0.0.1/"], "has a user or a password"),
        (["http://127.0.0.1:0/"], "is not a URL of a host"),
        (["mailto:a@example.com?bcc=b@example.com"], "is not an email address"),
        (["mailto:a@example.com\nBcc: b@example.com"], "is not an email address"),
        (["http://169.254.169.254/"], "169.254.169.254 is not an allowed host"),
        ([f"mailto:a{n}@example.com" for n in range(17)], "use 16 at most"),
    ],
)
def test_an_invalid_receiver_is_an_error_at_once(
    own: Server, to: list[str], complaint: str
) -> None:
    answer = notified(own, NO_RUN, *to)

    assert answer.status_code == 400
    assert complaint in error(answer)


def test_a_webhook_is_tried_again_with_the_same_id_and_another_signature(
    own: Server, webhooks: WebhookServer, key: str
) -> None:
    path = f"/{key}"
    webhooks.script[path] = [503, RESET, (429, {"retry-after": "1"}), LOST]
    run = run_of(own, "Notified", numbers=[1])

    notified(own, run, webhooks.url + path).raise_for_status()

    assert len(webhooks.received[path]) == 5
    assert len(webhooks.ids(path)) == 1
    assert len({each.timestamp for each in webhooks.received[path]}) > 1
    assert len(webhooks.accepted[path]) == 2
    assert webhooks.accepted[path][0].body == webhooks.accepted[path][1].body


def test_a_date_in_retry_after_is_obeyed(
    own: Server, webhooks: WebhookServer, key: str
) -> None:
    path, start = f"/{key}", time()
    date = formatdate(start + 3, usegmt=True)
    webhooks.script[path] = [(503, {"retry-after": date})]
    run = run_of(own, "Notified", numbers=[1])

    notified(own, run, webhooks.url + path).raise_for_status()

    assert time() - start >= 2
    assert len(webhooks.accepted[path]) == 1


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (410, "answered 410 Gone"),
        (404, "answered 404 Not Found"),
        ((302, {"location": "/"}), "answered 302: pass the URL to which the answer"),
    ],
)
def test_a_final_answer_is_not_tried_again(
    own: Server, webhooks: WebhookServer, key: str, answer: Any, complaint: str
) -> None:
    path = f"/{key}"
    webhooks.script[path] = [answer]
    run = run_of(own, "Notified", numbers=[1])

    ended = notified(own, run, webhooks.url + path)

    assert ended.status_code == 502
    assert error(ended).startswith("1 of 1 receivers were not notified: POST http://")
    assert complaint in error(ended)
    assert len(webhooks.received[path]) == 1


def test_other_receivers_are_notified_if_one_is_gone(
    own: Server, webhooks: WebhookServer, mails: MailServer, key: str
) -> None:
    webhooks.script[f"/{key}"] = [410]
    run = run_of(own, "Notified", numbers=[1])
    to = [f"{webhooks.url}/{key}", f"mailto:{key}@example.com"]

    ended = notified(own, run, *to)

    assert error(ended).startswith("1 of 2 receivers were not notified")
    assert len(mails.accepted[f"{key}@example.com"]) == 1


def test_attempts_end_after_the_last_one(
    own: Server, webhooks: WebhookServer, key: str
) -> None:
    webhooks.script[f"/{key}"] = [500] * 6
    run = run_of(own, "Notified", numbers=[1])

    ended = notified(own, run, f"{webhooks.url}/{key}")

    assert "answered 500" in error(ended)
    assert len(webhooks.received[f"/{key}"]) == 6


def test_an_email_is_tried_again_with_the_same_id(
    own: Server, mails: MailServer, key: str
) -> None:
    to = f"{key}@example.com"
    mails.script[to] = ["451 try again", RESET, "421 closing", LOST]
    run = run_of(own, "Notified", numbers=[1])

    notified(own, run, f"mailto:{to}").raise_for_status()

    assert len(mails.received[to]) == 5
    assert len(mails.accepted[to]) == 2
    [id] = mails.ids(to)
    assert id
    assert id.endswith("@example.com>")


def test_a_refused_email_is_not_tried_again(
    own: Server, mails: MailServer, key: str
) -> None:
    to = f"{key}@example.com"
    mails.script[to] = ["550 no such mailbox"]
    run = run_of(own, "Notified", numbers=[1])

    ended = notified(own, run, f"mailto:{to}")

    assert f"the email to {to} was refused: 550 no such mailbox" in error(ended)
    assert len(mails.received[to]) == 1


def test_each_request_has_an_id_of_its_own(
    own: Server, webhooks: WebhookServer, key: str
) -> None:
    run = run_of(own, "Notified", numbers=[1])

    for _ in range(2):
        notified(own, run, f"{webhooks.url}/{key}").raise_for_status()

    assert len(webhooks.ids(f"/{key}")) == 2


@pytest.mark.parametrize(
    ("task", "first_line"),
    [
        ({"numbers": [1, 2]}, "AlwaysNotified succeeded."),
        ({"numbers": [-1, 2]}, "AlwaysNotified failed."),
        ({"number": [1]}, "AlwaysNotified failed."),
    ],
)
def test_each_run_of_a_fan_out_with_notify_notifies_its_receivers(
    own: Server, mails: MailServer, task: dict[str, Any], first_line: str
) -> None:
    run = own.send("AlwaysNotified", task)["invocationId"]

    def texts() -> list[str]:
        found = map(text, mails.accepted["always@example.com"])
        return [each for each in found if f"run: {run}" in each]

    eventually(lambda: bool(texts()))
    assert texts()[0].splitlines()[0] == first_line
    if task == {"numbers": [1, 2]}:
        assert "subtasks: 2 succeeded of 2" in texts()[0]


def test_a_redrive_of_a_fan_out_with_notify_notifies_its_receivers(
    own: Server, mails: MailServer
) -> None:
    run = own.send("AlwaysNotified", {"numbers": [-1, 2]})["invocationId"]
    own.attach(run)
    url = f"{own.ingress}/restate/call/AlwaysNotified/redrive"

    redrive = HTTP.post(url, json={"run": run}).headers["x-restate-id"]

    subject = f"AlwaysNotified failed ({redrive})"
    emails = mails.accepted["always@example.com"]
    eventually(lambda: subject in [each["Subject"] for each in emails])


def test_a_check_of_receivers_says_what_is_wrong(own: Server) -> None:
    url = f"{own.ingress}/restate/call/FanOutNotify/check"

    good = HTTP.post(url, json={"to": ["mailto:me@example.com"]})
    bad = HTTP.post(url, json={"to": ["mailto:me@example.com", "http://10.0.0.1/"]})

    assert good.is_success
    assert (bad.status_code, error(bad)) == (
        400,
        "10.0.0.1 is not an allowed host. The worker's operator can allow it with "
        "PARALLELIZEWORK_NOTIFY_ALLOWED_HOSTS",
    )
