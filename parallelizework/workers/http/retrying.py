"""Which responses are tried again, and when. Pure."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from restate import TerminalError
from restate.exceptions import RetryableError

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_BAD = 400  # the first status that is an error
_DIGITS = 9  # of seconds: thirty years


def check(
    response: httpx.Response, message: str, *, longest: timedelta, now: datetime
) -> None:
    """Pass if a response is no error.

    Args:
        message: What to say if it is.
        longest: The most that is granted of what the server asks for.

    Raises:
        RetryableError: It may be another one the next time; not before the moment that
            the server asks for.
        TerminalError: It will be the same.
    """
    status = response.status_code
    if status < _BAD:
        return
    if status not in _AGAIN:
        raise TerminalError(message, status)
    after = retry_after(response.headers.get("retry-after", ""), now)
    raise RetryableError(
        message, status, None if after is None else min(after, longest)
    )


def retry_after(value: str, now: datetime) -> timedelta | None:
    """What a `Retry-After` says: seconds or a date; None if it says neither."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        is_sane = len(value) <= _DIGITS
        return timedelta(seconds=int(value) if is_sane else 10**_DIGITS)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(timedelta(0), when - now)
