"""`EmailSender`: sends messages as emails."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial

from pydantic_core import to_json
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.definition.threads import Threads
from parallelizework.notifications.models import Notification, RunEnd
from parallelizework.notifications.receivers import Email
from parallelizework.notifications.smtp_server import SmtpServer
from parallelizework.settings import NotifySettings

_LONGEST = 120.0  # seconds of one attempt
_CONNECTIONS = 8  # at the same time, from one process
_FINAL = range(500, 600)  # answers of SMTP after which another attempt is useless
_BAD_GATEWAY = 502


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
