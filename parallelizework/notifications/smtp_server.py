"""`SmtpServer`: the server that emails are sent to, over TLS."""

import smtplib
import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from parallelizework.errors import SettingsError
from parallelizework.notifications.receivers import Email
from parallelizework.settings import NotifySettings

_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_TIMEOUT = 30.0  # seconds of one answer of the server


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
            usual = _PORTS[url.scheme]
            port = url.port or usual
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
