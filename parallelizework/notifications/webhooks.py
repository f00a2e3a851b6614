"""`WebhookSender`: sends messages as webhooks, signed as Standard Webhooks says.

https://www.standardwebhooks.com: the signature is an HMAC with SHA-256 of the id, the
time and the body. Each attempt has a time and a signature of its own, and the same id.
"""

import hmac
import time
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable

from restate import TerminalError

from parallelizework.errors import SettingsError
from parallelizework.notifications.receivers import WebhookUrl
from parallelizework.ready_made.http.hosts.addresses import literal
from parallelizework.ready_made.http.hosts.allowed_hosts import AllowedHosts
from parallelizework.ready_made.http.requests.request import Request
from parallelizework.ready_made.http.sending.client import HttpClient
from parallelizework.settings import HttpSettings, NotifySettings

_PREFIX = "whsec_"
_LENGTHS = range(24, 65)  # bytes of a secret, as the specification says
_FIRST_REDIRECT = 300


class WebhookSender:
    """Sends messages to URLs whose hosts are allowed.

    Args:
        settings: The allowed hosts and the secrets.

    Raises:
        SettingsError: A secret is invalid.
        DefinitionError: An allowed host is invalid.
    """

    def __init__(self, settings: NotifySettings) -> None:
        self._keys = [_key(secret) for secret in settings.notify_secrets]
        self._hosts = AllowedHosts(settings.notify_allowed_hosts)
        allowed = {"allowed_hosts": settings.notify_allowed_hosts}
        self._client = HttpClient(HttpSettings().model_copy(update=allowed))

    def problem(self, receiver: WebhookUrl) -> str | None:
        """Why nothing can be sent to a receiver; None if something can be sent."""
        if not self._keys:
            return (
                f"{receiver.url} cannot be notified: the worker has no secret for "
                "signatures. Set PARALLELIZEWORK_NOTIFY_SECRETS"
            )
        try:
            host = Request(url=receiver.url).host
        except ValueError as error:
            return f"{receiver.url} is not valid: {error}"
        address = literal(host)
        if address:
            is_allowed = self._hosts.allows(host, address)
        else:
            is_allowed = self._hosts.may_allow(host)
        if not is_allowed:
            return (
                f"{host} is not an allowed host. The worker's operator can allow it "
                "with PARALLELIZEWORK_NOTIFY_ALLOWED_HOSTS"
            )
        return None

    async def send(self, receiver: WebhookUrl, id: str, body: str) -> None:
        """Make one attempt to send a message.

        Args:
            receiver: The receiver.
            id: The id of the message.
            body: The message as JSON.

        Raises:
            Postponed: The host is busy and asks for a pause.
            RetryableError: Another attempt may succeed.
            TerminalError: Another attempt would fail in the same way.
        """
        if problem := self.problem(receiver):
            raise TerminalError(problem, 400)
        now = int(time.time())
        headers: dict[str, str] = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(now),
            "webhook-signature": signatures(self._keys, id, now, body),
        }
        request = Request(
            url=receiver.url, method="POST", headers={**headers}, body=body
        )
        reply = await self._client.send(request)
        if reply.status >= _FIRST_REDIRECT:
            raise TerminalError(
                f"POST {receiver.url} answered {reply.status}: pass the URL to which "
                "the answer redirects",
                502,
            )


def signatures(keys: Iterable[bytes], id: str, now: int, body: str) -> str:
    """Return the value of the header `webhook-signature`: one signature for each key.

    Args:
        keys: The keys; more than one while a secret is being replaced.
        id: The id of the message.
        now: The time of the attempt, in seconds since 1970.
        body: The body.
    """
    signed = f"{id}.{now}.{body}".encode()
    digests = [hmac.digest(key, signed, "sha256") for key in keys]
    return " ".join(f"v1,{b64encode(digest).decode()}" for digest in digests)


def _key(secret: str) -> bytes:
    """The key of a secret such as `whsec_...`. No message contains a secret."""
    try:
        key = b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (Error, ValueError):
        key = b""
    if len(key) not in _LENGTHS:
        raise SettingsError(
            "PARALLELIZEWORK_NOTIFY_SECRETS has an invalid secret: use whsec_ and 24 "
            f"to {_LENGTHS[-1]} bytes in base 64. `openssl rand -base64 32` makes some"
        )
    return key
