"""URLs: which are valid for a request, and their origins. Pure."""

import re

import httpx

_LABEL = re.compile(r"[a-z0-9_-]{1,63}", re.IGNORECASE)
_MAX_HOST = 253  # characters of a name (RFC 1035)
_PORTS = range(1, 65_536)

Origin = tuple[str, bytes, int | None]


def check_url(url: httpx.URL) -> None:
    """Check that a request can be sent to a URL.

    Raises:
        ValueError: The URL is invalid; the message contains the cause.
    """
    if url.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    host = url.raw_host.decode("ascii")
    if not host:
        raise ValueError("has no host")
    if not _is_host(host):
        raise ValueError(f"{host[:_MAX_HOST]!r} is not a valid host")
    if url.port is not None and url.port not in _PORTS:
        raise ValueError(f"has the port {url.port}; use 1 to {_PORTS[-1]}")


def origin_of(url: httpx.URL) -> Origin:
    """The scheme, host and port of a URL."""
    return url.scheme, url.raw_host, url.port


def without_secrets(url: httpx.URL) -> str:
    """A URL without its parts that may be secret: user, password and query."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def _is_host(host: str) -> bool:
    """Whether a host is a valid name, or an IPv6 address, which httpx has checked."""
    if ":" in host:
        return True
    labels = host.removesuffix(".").split(".")
    return len(host) <= _MAX_HOST and all(map(_LABEL.fullmatch, labels))
