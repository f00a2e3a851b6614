"""`EmailSender`: sends messages as emails, over SMTP with TLS."""

import smtplib
import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from urllib.parse import unquote, urlsplit

from pydantic_core import to_json
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.definition.threads import Threads
from parallelizework.errors import SettingsError
from parallelizework.notifications.models import Notification, RunEnd
from parallelizework.notifications.receivers import Email
from parallelizework.settings import NotifySettings

_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_TIMEOUT = 30.0  # seconds of one answer of the server
_LONGEST = 120.0  # seconds of one attempt
_CONNECTIONS = 8  # at the same time, from one process
_FINAL = range(500, 600)  # answers of SMTP after which another attempt is useless
_BAD_GATEWAY = 502


@dataclass(frozen=True)
class SmtpServer:
    """Where emails are sent, and from which address.

    Attributes:
        scheme: `smtp` for STARTTLS, `smtps` for TLS, `smtp+plain` for no TLS.
        host: The host.
        port: The port.
        user: The user; empty for no login.
        password: The password of the user.
        sender: The address of the sender.
    """

    scheme: str
    host: str
    port: int
    user: str
    password: str
    sender: str

    @classmethod
    def of(cls, settings: NotifySettings) -> "SmtpServer | None":
        """Return the server in the settings; None if there is none.

        Raises:
            SettingsError: The URL or the sender is invalid. The message does not
                contain the URL, which may contain a password.
        """
        if not settings.smtp_url:
            return None
        try:
            url = urlsplit(settings.smtp_url)
            port = url.port or _PORTS[url.scheme]
        except (ValueError, KeyError):
            url, port = None, 0
        if not url or not url.hostname:
            raise SettingsError(
                "PARALLELIZEWORK_SMTP_URL is invalid: use smtp://USER:PASSWORD@HOST "
                "(port 587, STARTTLS) or smtps://USER:PASSWORD@HOST (port 465, TLS)"
            )
        user, password = unquote(url.username or ""), unquote(url.password or "")
        if user and url.scheme == "smtp+plain":
            raise SettingsError(
                "PARALLELIZEWORK_SMTP_URL has a user, but no TLS protects the "
                "password: use smtp:// or smtps://"
            )
        sender = settings.smtp_sender or ""
        try:
            Email(sender)
        except ValueError as error:
            raise SettingsError(f"PARALLELIZEWORK_SMTP_SENDER: {error}") from error
        return cls(url.scheme, url.hostname, port, user, password, sender)

    @contextmanager
    def connected(self) -> Generator[smtplib.SMTP]:
        """Connect, encrypt the connection and log in.

        Raises:
            OSError: The network failed, or a certificate is invalid.
            smtplib.SMTPException: The server refused.
        """
        tls = ssl.create_default_context()  # reads SSL_CERT_FILE
        if self.scheme == "smtps":
            server = smtplib.SMTP_SSL(
                self.host, self.port, timeout=_TIMEOUT, context=tls
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT)
        try:
            if self.scheme == "smtp":
                server.starttls(context=tls)
            if self.user:
                server.login(self.user, self.password)
            yield server
            # The server has accepted the message: what follows changes nothing.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
        finally:
            server.close()


class EmailSender:
    """Sends messages by the server of the settings.

    Args:
        settings: The SMTP server and the address of the sender.

    Raises:
        SettingsError: The server or the address is invalid.
    """

    def __init__(self, settings: NotifySettings) -> None:
        self._server = SmtpServer.of(settings)
        self._threads = Threads(_CONNECTIONS, "FanOutNotify")

    def problem(self, receiver: Email) -> str | None:
        """Why nothing can be sent to a receiver; None if something can be sent."""
        if self._server:
            return None
        return (
            f"{receiver.address} cannot be notified: the worker has no SMTP server. "
            "Set PARALLELIZEWORK_SMTP_URL and PARALLELIZEWORK_SMTP_SENDER"
        )

    async def send(self, receiver: Email, id: str, notification: Notification) -> None:
        """Make one attempt to send a message.

        Args:
            receiver: The receiver.
            id: The id of the message.
            notification: The message.

        Raises:
            RetryableError: Another attempt may succeed.
            TerminalError: Another attempt would fail in the same way.
        """
        if not self._server:
            raise TerminalError(self.problem(receiver) or "", 400)
        message = email_of(receiver, self._server.sender, id, notification)
        send = partial(_send, self._server, message)
        await self._threads.run(send, seconds=_LONGEST)


def email_of(
    receiver: Email, sender: str, id: str, notification: Notification
) -> EmailMessage:
    """Return the email about the end of a run."""
    end = notification.data
    message = EmailMessage()
    message["From"] = sender
    message["To"] = receiver.address
    message["Subject"] = f"{_title(end)} ({end.run})"
    message["Date"] = format_datetime(notification.timestamp)
    message["Message-ID"] = f"<{id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic replies
    message.set_content("\n".join([f"{_title(end)}.", "", *_lines(end), ""]))
    return message


def _title(end: RunEnd) -> str:
    return f"{end.fan_out or 'A run'} {_PHRASES.get(end.state, end.state)}"


_PHRASES = {"cancelled": "was cancelled", "killed": "was killed"}


def _lines(end: RunEnd) -> list[str]:
    fields = {
        "run": end.run,
        "subtasks": _counted(end),
        "reason": end.reason,
        "error": end.error,
        "labels": " ".join(f"{key}={text}" for key, text in end.labels.items()),
        "result": _result(end),
    }
    return [f"{name}: {value}" for name, value in fields.items() if value]


def _counted(end: RunEnd) -> str | None:
    if end.counts is None:
        return None
    counts = [
        f"{count} {outcome.replace('_', ' ')}"
        for outcome, count in end.counts.model_dump().items()
        if count
    ]
    return f"{', '.join(counts) or 0} of {'?' if end.total is None else end.total}"


def _result(end: RunEnd) -> str | None:
    if end.has_result:
        return to_json(end.result, inf_nan_mode="constants").decode()
    if end.state == "succeeded":
        return f"too large for an email: parallelizework result {end.run}"
    return None


def _send(server: SmtpServer, message: EmailMessage) -> None:
    about = f"the email to {message['To']}"
    try:
        with server.connected() as connection:
            connection.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        raise _refused(about, code, text) from error
    except smtplib.SMTPResponseException as error:
        raise _refused(about, error.smtp_code, error.smtp_error) from error
    except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError) as error:
        raise TerminalError(f"{about} was not sent: {error}", _BAD_GATEWAY) from error
    except (smtplib.SMTPException, OSError) as error:
        raise RetryableError(
            f"{about} was not sent: {error!r}", _BAD_GATEWAY
        ) from error


def _refused(about: str, code: int, text: bytes | str) -> Exception:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    message = f"{about} was refused: {code} {' '.join(shown.split())}"
    if code in _FINAL:
        return TerminalError(message, code)
    return RetryableError(message, _BAD_GATEWAY)
