"""Which statuses of a response are retried, and when."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.attempts.attempt import Postponed

BUSY = frozenset({429, 503})  # with `Retry-After`: too many requests for now
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_ERROR = 400
_DIGITS = 9  # of seconds: thirty years


def check(
    status: int, message: str, after: timedelta | None, within: timedelta
) -> None:
    """Pass if a status is no error.

    Args:
        message: The message of the error.
        after: The pause that the server asks for.
        within: How long all such pauses of a busy server may take together.

    Raises:
        Postponed: The server is busy, and says for how long.
        RetryableError: The next attempt may succeed, after the pause.
        TerminalError: The next attempt would end the same way.
    """
    if status < _FIRST_ERROR:
        return
    if status not in _RETRIED:
        raise TerminalError(message, status)
    if after is not None and status in BUSY:
        raise Postponed(message, status, retry_after=after, within=within)
    raise RetryableError(message, status, after)


def pause_after(response: httpx.Response, longest: timedelta) -> timedelta | None:
    """The pause that a server asks for by `Retry-After`, but at most `longest`."""
    after = retry_after(response.headers.get("retry-after", ""), datetime.now(UTC))
    return None if after is None else min(after, longest)


def retry_after(value: str, now: datetime) -> timedelta | None:
    """The pause in a `Retry-After`: seconds or a date; None if it is neither."""
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
