"""Emails over TLS, and what a worker says about SMTP servers that misbehave."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.definition.job import TookTooLong
from parallelizework.errors import SettingsError
from parallelizework.notifications import Email, Notification, emails, smtp_server
from parallelizework.notifications.emails import EmailSender
from parallelizework.notifications.models import RunEnd
from parallelizework.settings import NotifySettings
from tests.ports import free_ports

from .receivers.certificate import make, server_tls
from .receivers.mail import HANG, PASSWORD, USER, MailServer, mail_server

pytestmark = pytest.mark.anyio
ME = Email("me@example.com")
END = RunEnd(run="inv_1", fan_out="Sizes", state="succeeded", has_result=True, result=3)
MESSAGE = Notification(
    type="run.succeeded", timestamp=datetime(2026, 3, 1, tzinfo=UTC), data=END
)
LOGIN = f"{USER}:p%40ss%3Aword"
assert PASSWORD == "p@ss:word"


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for localhost that this process trusts."""
    made = make(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    return made


def sender(url: str) -> EmailSender:
    return EmailSender(NotifySettings(smtp_url=url, smtp_sender="runs@example.com"))


async def test_an_email_is_sent_over_starttls_after_a_login(certificate: Path) -> None:
    with mail_server(starttls=server_tls(certificate), has_login=True) as server:
        url = f"smtp://{LOGIN}@localhost:{server.port}"

        await sender(url).send(ME, "msg_1", MESSAGE)

    [mail] = server.accepted[ME.address]
    assert mail["Message-ID"] == "<msg_1@example.com>"
    assert mail["Date"] == "Sun, 01 Mar 2026 00:00:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"


# aiosmtpd does not know that a connection with implicit TLS is safe for a login.
@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
async def test_an_email_is_sent_over_implicit_tls_after_a_login(
    certificate: Path,
) -> None:
    with mail_server(tls=server_tls(certificate), has_login=True) as server:
        url = f"smtps://{LOGIN}@localhost:{server.port}"

        await sender(url).send(ME, "msg_1", MESSAGE)

    assert len(server.accepted[ME.address]) == 1


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_nothing_is_sent_to_a_server_with_an_unknown_certificate(
    tmp_path: Path, scheme: str
) -> None:
    tls = server_tls(make(tmp_path))
    with (
        mail_server(
            starttls=tls if scheme == "smtp" else None,
            tls=tls if scheme == "smtps" else None,
        ) as server,
        pytest.raises(TerminalError, match="certificate verify failed"),
    ):
        await sender(f"{scheme}://localhost:{server.port}").send(ME, "m", MESSAGE)

    assert not server.received


async def test_nothing_is_sent_to_a_server_without_starttls() -> None:
    with (
        mail_server() as server,
        pytest.raises(TerminalError, match="STARTTLS extension not supported"),
    ):
        await sender(f"smtp://localhost:{server.port}").send(ME, "msg_1", MESSAGE)

    assert not server.received


async def test_a_wrong_password_is_final(certificate: Path) -> None:
    with mail_server(starttls=server_tls(certificate), has_login=True) as server:
        url = f"smtp://{USER}:wrong@localhost:{server.port}"

        with pytest.raises(TerminalError, match="535") as refused:
            await sender(url).send(ME, "msg_1", MESSAGE)

    assert "wrong" not in refused.value.message


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("451 try again", RetryableError),
        ("550 no such mailbox", TerminalError),
        ("552 too large", TerminalError),
    ],
)
async def test_the_answer_of_the_server_decides_about_other_attempts(
    answer: str, kind: type[Exception]
) -> None:
    with mail_server() as server:
        server.script[ME.address] = [answer]

        with pytest.raises(kind, match=answer):
            await sender(plain(server)).send(ME, "msg_1", MESSAGE)


async def test_a_server_that_hangs_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp_server, "_TIMEOUT", 0.2)
    with mail_server() as server:
        server.script[ME.address] = [HANG]

        with pytest.raises(RetryableError, match="timed out"):
            await sender(plain(server)).send(ME, "msg_1", MESSAGE)


async def test_an_attempt_ends_although_the_server_answers_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(emails, "_LONGEST", 0.2)
    with mail_server() as server:
        server.script[ME.address] = [HANG]

        with pytest.raises(TookTooLong):
            await sender(plain(server)).send(ME, "msg_1", MESSAGE)


async def test_a_server_that_is_down_is_tried_again() -> None:
    [port] = free_ports(1)

    with pytest.raises(RetryableError, match="Connection refused"):
        await sender(f"smtp+plain://127.0.0.1:{port}").send(ME, "msg_1", MESSAGE)


@pytest.mark.parametrize(
    ("url", "from_", "complaint"),
    [
        ("imap://host", "a@b.example", "_SMTP_URL is invalid"),
        ("smtp://host:none", "a@b.example", "_SMTP_URL is invalid"),
        ("smtp://", "a@b.example", "_SMTP_URL is invalid"),
        ("smtp+plain://me:secret@host", "a@b.example", "no TLS protects the password"),
        ("smtp://me:secret@host", None, "_SMTP_SENDER: '' is not an email address"),
        ("smtp://me:secret@host", "A <a@b.example>", "is not an email address"),
    ],
)
async def test_a_wrong_setting_is_an_error_without_the_password(
    url: str, from_: str | None, complaint: str
) -> None:
    settings = NotifySettings(smtp_url=url, smtp_sender=from_)

    with pytest.raises(SettingsError, match=complaint) as refused:
        EmailSender(settings)

    assert "secret" not in str(refused.value)


def plain(server: MailServer) -> str:
    return f"smtp+plain://127.0.0.1:{server.port}"
