"""URLs: to which ones a request can be sent, and their origins. Pure."""

import re

import httpx

_LABEL = re.compile(r"[a-z0-9_-]{1,63}", re.IGNORECASE)
_LONGEST_HOST = 253  # characters of a name (RFC 1035)
_PORTS = range(1, 65_536)

Origin = tuple[str, bytes, int | None]


def check_url(url: httpx.URL) -> None:
    """Pass if a request can be sent to a URL.

    Raises:
        ValueError: No request can be; the message says why.
    """
    if url.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    host = url.raw_host.decode("ascii")
    if not host:
        raise ValueError("names no host")
    if not _is_host(host):
        raise ValueError(f"{host[:_LONGEST_HOST]!r} is no host")
    if url.port is not None and url.port not in _PORTS:
        raise ValueError(f"has the port {url.port}, but they end at {_PORTS[-1]}")


def origin_of(url: httpx.URL) -> Origin:
    """The scheme, host and port of a URL."""
    return url.scheme, url.raw_host, url.port


def without_secrets(url: httpx.URL) -> str:
    """A URL without the parts that may be secret: a user, a password, a query."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def _is_host(host: str) -> bool:
    """Whether a host is an IPv6 address, which httpx has checked, or can be a name."""
    if ":" in host:
        return True
    labels = host.removesuffix(".").split(".")
    return len(host) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, labels))
