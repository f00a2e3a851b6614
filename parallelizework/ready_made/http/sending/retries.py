"""`check`: decides which statuses of a response are retried, and when."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.attempts.attempt import Postponed

BUSY = frozenset({429, 503})  # with `Retry-After`, these mean: too many requests
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_ERROR = 400
_DIGITS = 9  # of a number of seconds: thirty years


def check(
    status: int, message: str, after: timedelta | None, within: timedelta
) -> None:
    """Raise the error for a status, if it is one.

    Args:
        status: The HTTP status.
        message: The message of the error.
        after: The pause that the server asks for.
        within: The longest time of all pauses together that a busy server asks for.

    Raises:
        Postponed: The server is busy and asks for a pause.
        RetryableError: Another attempt may succeed.
        TerminalError: Another attempt would fail in the same way.
    """
    if status < _FIRST_ERROR:
        return
    if status not in _RETRIED:
        raise TerminalError(message, status)
    if after is not None and status in BUSY:
        raise Postponed(message, status, retry_after=after, within=within)
    raise RetryableError(message, status, after)


def pause_after(response: httpx.Response, longest: timedelta) -> timedelta | None:
    """The pause that a server asks for with `Retry-After`, at most `longest`."""
    after = retry_after(response.headers.get("retry-after", ""), datetime.now(UTC))
    return None if after is None else min(after, longest)


def retry_after(value: str, now: datetime) -> timedelta | None:
    """The pause in a `Retry-After`, in seconds or as a date; None if it is invalid."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        is_sane = len(value) <= _DIGITS
        return timedelta(seconds=int(value) if is_sane else 10**_DIGITS)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(timedelta(0), when - now)
