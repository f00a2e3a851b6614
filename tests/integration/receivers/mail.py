"""`MailServer`: a real SMTP server, which refuses, hangs or resets as a test says."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.ports import free_ports

USER, PASSWORD = "worker", "p@ss:word"
ACCEPTED = "250 OK"
HANG, RESET, LOST = "hang", "reset", "lost"


class MailServer:
    """Receives emails. Before it accepts one, it answers as its script says.

    Attributes:
        port: The port.
        received: The emails that were received, by recipient; also those refused.
        accepted: The emails that were accepted, by recipient.
        script: The answers to the next emails, by recipient. `hang` does not answer.
            `reset` aborts the connection. `lost` does so after accepting the email.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.received = defaultdict[str, list[Message]](list)
        self.accepted = defaultdict[str, list[Message]](list)
        self.script = defaultdict[str, list[str]](list)

    async def handle_DATA(
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        to, message = envelope.rcpt_tos[0], message_from_bytes(content)
        answer = self.script[to].pop(0) if self.script[to] else ACCEPTED
        self.received[to].append(message)
        if answer in (ACCEPTED, LOST):
            self.accepted[to].append(message)
        if answer == HANG:
            await asyncio.sleep(60)
        if answer in (RESET, LOST):
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return answer

    def ids(self, to: str) -> set[str | None]:
        """The ids of all messages to a recipient."""
        return {message["Message-ID"] for message in self.received[to]}


@contextmanager
def mail_server(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    has_login: bool = False,
) -> Generator[MailServer]:
    """Run a mail server until the block ends."""
    made = MailServer(*free_ports(1))
    options: dict[str, Any] = {"auth_required": has_login, "authenticator": _login}
    if tls:
        options |= {"ssl_context": tls, "auth_require_tls": False}
    if starttls:
        options |= {"tls_context": starttls, "require_starttls": True}
    controller = Controller(made, "127.0.0.1", made.port, **options)
    controller.start()
    try:
        yield made
    finally:
        controller.stop()


def _login(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
) -> AuthResult:
    assert isinstance(data, LoginPassword)
    is_known = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_known, handled=is_known)
