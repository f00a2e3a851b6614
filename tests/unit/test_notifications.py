"""Notifications: receivers, ids of runs, signatures, emails, and who serves them."""

from base64 import b64decode
from datetime import UTC, datetime
from time import time

import pytest
from restate import Service
from standardwebhooks import Webhook

import parallelizework
from parallelizework import FanOut
from parallelizework.errors import SettingsError, UnfitData
from parallelizework.notifications import (
    Email,
    Notification,
    Notifications,
    Receiver,
    WebhookUrl,
)
from parallelizework.notifications.emails import email_of
from parallelizework.notifications.models import RunEnd
from parallelizework.notifications.receivers import receiver_of, urls_of
from parallelizework.notifications.run_id import is_run_id
from parallelizework.notifications.webhooks import WebhookSender, signatures
from parallelizework.outcomes import Counts
from parallelizework.settings import NotifySettings
from parallelizework.testing import run_inline

OLD = "b2xkIHNlY3JldCBvZiBhIHRlc3QsIGxvbmcgZW5vdWdo"
NEW = "bmV3IHNlY3JldCBvZiBhIHRlc3QsIGxvbmcgZW5vdWdo"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def split(count: int) -> list[int]:
    return list(range(count))


def execute(number: int) -> int:
    return number


def fan_out(*notify: Receiver) -> FanOut[int, int, int, int]:
    return FanOut("Sums", split=split, execute=execute, aggregate=sum_of, notify=notify)


def sum_of(values: list[int]) -> int:
    return sum(values)


@pytest.mark.parametrize(
    ("url", "receiver"),
    [
        ("https://example.com/a?b=c", WebhookUrl("https://example.com/a?b=c")),
        ("http://[::1]:80/", WebhookUrl("http://[::1]:80/")),
        ("mailto:me+a@mail.example.com", Email("me+a@mail.example.com")),
        ("MAILTO:me@localhost", Email("me@localhost")),
    ],
)
def test_a_url_names_a_receiver(url: str, receiver: Receiver) -> None:
    assert receiver_of(url) == receiver


@pytest.mark.parametrize(
    "url",
    [
        "",
        "me@example.com",
        "ftp://example.com",
        "https://",
        "https://me:secret@example.com",
        "https://example.com/a b",
        "https://example.com:99999/",
        f"https://example.com/{'a' * 2_000}",
        "mailto:",
        "mailto:me",
        "mailto:Me <me@example.com>",
        "mailto:a@example.com,b@example.com",
        "mailto:me@example.com?cc=you@example.com",
        "mailto:me@example.com\r\nBcc: you@example.com",
        "mailto:mé@example.com",
    ],
)
def test_other_texts_are_errors(url: str) -> None:
    with pytest.raises(UnfitData):
        receiver_of(url)


def test_there_are_at_most_16_receivers() -> None:
    with pytest.raises(UnfitData, match="there are 17 receivers: use 16 at most"):
        urls_of(Email(f"a{number}@example.com") for number in range(17))


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        ("inv_1eMI0CMWYt9I3eZ7M8qzyy4MK1IAJd8Hd7", True),
        ("inv_1lYGhA16ahyf7N42dgm5tFLK9N8MT7fHC7", True),
        ("inv_1lYGhA16ahyg0000000000000000000000", False),
        ("inv_1000000000007N42dgm5tFLK9N8MT7fHC8", False),
        ("inv_1eMI0CMWYt9I3eZ7M8qzyy4MK1IAJd8Hd", False),
        ("inv_1eMI0CMWYt9I3eZ7M8qzyy4MK1IAJd8Hd7\n", False),
        ("inv_1eMI0CMWYt9I3eZ7M8qzyy4MK1IAJd8Hd-", False),
        ("sign_1eMI0CMWYt9I3eZ7M8qzyy4MK1IAJd8Hd7", False),
    ],
)
def test_an_id_has_two_numbers_of_limited_size(text: str, is_id: bool) -> None:
    assert is_run_id(text) is is_id


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_a_webhook_is_signed_with_each_secret(secret: str) -> None:
    now, body = int(time()), '{"a": "ä"}'
    keys = [b64decode(OLD), b64decode(NEW)]

    signed = signatures(keys, "msg_1", now, body)

    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(now)}
    headers["webhook-signature"] = signed
    assert Webhook(secret).verify(body.encode(), headers) == {"a": "ä"}


@pytest.mark.parametrize("secret", ["whsec_c2hvcnQ=", "whsec_???", "secret-secret"])
def test_an_invalid_secret_is_an_error_that_does_not_show_the_secret(
    secret: str,
) -> None:
    with pytest.raises(SettingsError, match="has an invalid secret") as refused:
        WebhookSender(NotifySettings(notify_secrets=(secret,)))

    assert secret not in str(refused.value)


def test_an_email_says_how_a_run_failed() -> None:
    end = RunEnd(
        run="inv_1",
        fan_out="Sums",
        state="failed",
        total=None,
        counts=Counts(succeeded=1, timed_out=2),
        error="subtask 3 failed",
        labels={"tenant": "acme"},
    )
    message = Notification(type="run.failed", timestamp=NOW, data=end)

    email = email_of(Email("me@example.com"), "runs@example.com", "msg_1", message)

    assert email["Subject"] == "Sums failed (inv_1)"
    assert email["Message-ID"] == "<msg_1@example.com>"
    assert email.get_content().splitlines() == [
        "Sums failed.",
        "",
        "run: inv_1",
        "subtasks: 1 succeeded, 2 timed out of ?",
        "error: subtask 3 failed",
        "labels: tenant=acme",
    ]


@pytest.mark.parametrize("state", ["cancelled", "killed"])
def test_an_email_about_an_unknown_service_says_what_is_known(state: str) -> None:
    end = RunEnd.model_validate({"run": "inv_1", "state": state})
    message = Notification(type=f"run.{state}", timestamp=NOW, data=end)

    email = email_of(Email("me@example.com"), "runs@example.com", "msg_1", message)

    assert email["Subject"] == f"A run was {state} (inv_1)"


def test_the_worker_of_a_fan_out_with_notify_serves_fan_out_notify(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARALLELIZEWORK_SMTP_URL", "smtp://localhost")
    monkeypatch.setenv("PARALLELIZEWORK_SMTP_SENDER", "runs@example.com")

    assert names(fan_out(Email("me@example.com"))).count("FanOutNotify") == 1
    assert "FanOutNotify" not in names(fan_out())


@pytest.mark.parametrize("url", ["smtp+tls://me:secret@h:25", "http://me:secret@h:25"])
def test_a_password_is_sent_to_no_server_of_an_unknown_scheme(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("PARALLELIZEWORK_SMTP_URL", url)
    monkeypatch.setenv("PARALLELIZEWORK_SMTP_SENDER", "runs@example.com")

    with pytest.raises(SettingsError, match="use smtp://USER") as refused:
        names(fan_out(Email("me@example.com")))

    assert "secret" not in str(refused.value)


def test_the_worker_does_not_start_without_the_settings_for_its_receivers() -> None:
    with pytest.raises(SettingsError, match="Set PARALLELIZEWORK_SMTP_URL"):
        names(fan_out(Email("me@example.com")))
    with pytest.raises(SettingsError, match="Set PARALLELIZEWORK_NOTIFY_SECRETS"):
        names(fan_out(WebhookUrl("https://example.com")))


def test_notifications_of_your_own_have_priority() -> None:
    own = Notifications(NotifySettings())

    served = parallelizework.services(fan_out(Email("me@example.com")), own)

    assert [each for each in served if each.name == "FanOutNotify"] == [own]


def test_a_worker_with_notifications_alone_serves_the_progress_of_runs_too() -> None:
    assert "FanOutProgress" in names(Notifications(NotifySettings()))


def test_run_inline_notifies_nobody() -> None:
    run = run_inline(fan_out(Email("me@example.com")), 4)

    assert run.result == 6


def names(*served: FanOut[int, int, int, int] | Service) -> list[str]:
    return [each.name for each in parallelizework.services(*served)]
