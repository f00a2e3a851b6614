"""`WebhookUrl` and `Email`: the receivers of a notification. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from parallelizework.errors import UnfitData

_MAILTO = "mailto:"
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$&'*+/=^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
)
_LONGEST_ADDRESS = 254  # characters (RFC 5321)
_LONGEST_URL = 2_000  # characters
_URL = re.compile(r"[!-~]+")  # printable ASCII without spaces

MOST = 16  # receivers of one request


@dataclass(frozen=True)
class WebhookUrl:
    """A receiver that accepts webhooks: the message is sent with POST to a URL.

    The worker's operator must allow the host, and must set a secret for signatures.

    Args:
        url: The URL, with http or https, and without user and password.

    Raises:
        UnfitData: The URL is invalid.

    Examples:
        ```python
        WebhookUrl("https://example.com/runs")
        ```
    """

    url: str

    def __post_init__(self) -> None:
        """Check the URL."""
        if problem := _problem(self.url):
            raise UnfitData(f"{self.url[:_LONGEST_URL]!r} {problem}")


@dataclass(frozen=True)
class Email:
    """A receiver that is notified by email.

    The worker's operator must set the SMTP server.

    Args:
        address: The address, such as `me@example.com`, in ASCII.

    Raises:
        UnfitData: The address is invalid.
    """

    address: str

    def __post_init__(self) -> None:
        """Check the address."""
        is_short = len(self.address) <= _LONGEST_ADDRESS
        if not is_short or not _ADDRESS.fullmatch(self.address):
            raise UnfitData(
                f"{self.address[:_LONGEST_ADDRESS]!r} is not an email address: use one "
                "address such as me@example.com, without a name, in ASCII"
            )

    @property
    def url(self) -> str:
        """The address as a URL: `mailto:me@example.com`."""
        return f"{_MAILTO}{self.address}"


Receiver = WebhookUrl | Email


def receiver_of(url: str) -> Receiver:
    """Return the receiver with a URL, such as `mailto:me@example.com`.

    Raises:
        UnfitData: The URL is invalid, or its scheme is none of mailto, http and https.
    """
    if url.lower().startswith(_MAILTO):
        return Email(url[len(_MAILTO) :])
    return WebhookUrl(url)


def listed(receivers: Receiver | Iterable[Receiver]) -> list[Receiver]:
    """Return a list of one receiver or of several."""
    return [receivers] if isinstance(receivers, Receiver) else list(receivers)


def urls_of(receivers: Receiver | Iterable[Receiver]) -> tuple[str, ...]:
    """Return the URLs of receivers, each once.

    Raises:
        UnfitData: There are more than 16 receivers.
    """
    return checked([each.url for each in listed(receivers)])


def checked(urls: Sequence[str]) -> tuple[str, ...]:
    """Return the URLs of receivers, each once, if all are valid.

    Raises:
        UnfitData: A URL is invalid, or there are more than 16.
    """
    valid = tuple(dict.fromkeys(receiver_of(url).url for url in urls))
    if len(valid) > MOST:
        raise UnfitData(f"there are {len(valid)} receivers: use {MOST} at most")
    return valid


def _problem(url: str) -> str | None:
    """Why a URL is invalid; None if it is valid."""
    if len(url) > _LONGEST_URL:
        return f"is longer than {_LONGEST_URL} characters"
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError as error:
        return f"is not a URL: {error}"
    if parts.scheme not in ("http", "https"):
        return (
            "is not a receiver: use a URL that begins with https://, http:// or mailto:"
        )
    if not _URL.fullmatch(url) or not parts.hostname or not has_port:
        return "is not a URL of a host, in ASCII"
    if "@" in parts.netloc:
        return "has a user or a password, which others could read: use a URL without"
    return None
