"""What the schemes of signatures have in common. Pure."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import timedelta

from parallelizework.events.webhooks.request import WebhookRequest


def sha256(secret: bytes, signed: bytes) -> bytes:
    """Return the HMAC of a text."""
    return hmac.digest(secret, signed, hashlib.sha256)


def header_of(request: WebhookRequest, name: str) -> str:
    """Return a header of a request.

    Raises:
        ValueError: The request has no such header.
    """
    if name not in request.headers:
        raise ValueError(f"the header {name} is missing")
    return request.headers[name]


def check_time(timestamp: str, now: float, tolerance: timedelta) -> None:
    """Check that a request was signed not long ago, and not in the future.

    Args:
        timestamp: When the request was signed, in seconds since 1970.
        now: The time now, in seconds since 1970.
        tolerance: The largest difference.

    Raises:
        ValueError: The timestamp is not a number, or the difference is too large.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):  # noqa: PLR2004 - so it is a number that a float can hold
        raise ValueError("the timestamp of the signature is not a number")
    if abs(now - int(timestamp)) > tolerance.total_seconds():
        raise ValueError(
            "the timestamp of the signature is too old, or in the future: compare the "
            "clocks"
        )


def check_any(found: Iterable[str], expected: Iterable[str]) -> None:
    """Check that one signature is an expected signature, in constant time.

    Args:
        found: The signatures of the request.
        expected: The signature by each secret.

    Raises:
        ValueError: No signature is an expected one.
    """
    right = [text.encode() for text in expected]
    matches = [
        hmac.compare_digest(text.encode(errors="replace"), each)
        for text in found
        for each in right
    ]
    if not any(matches):
        raise ValueError("the signature is wrong: compare the secrets")
