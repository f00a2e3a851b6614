"""Which responses are tried again, and when."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.attempts.attempt import Postponed

BUSY = frozenset({429, 503})  # the server has too much to do, if it says until when
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_BAD = 400  # the first status that is an error
_DIGITS = 9  # of seconds: thirty years


def check(
    status: int, message: str, after: timedelta | None, within: timedelta
) -> None:
    """Pass if a response is no error.

    Args:
        message: What to say if it is.
        after: The pause that the server asks for.
        within: What all the pauses may take together that a server with too much to do
            asks for.

    Raises:
        Postponed: The server is well, but has too much to do for now.
        RetryableError: It may be another one the next time; not before the moment that
            the server asks for.
        TerminalError: It will be the same.
    """
    if status < _BAD:
        return
    if status not in _AGAIN:
        raise TerminalError(message, status)
    if after is not None and status in BUSY:
        raise Postponed(message, status, retry_after=after, within=within)
    raise RetryableError(message, status, after)


def asked(response: httpx.Response, longest: timedelta) -> timedelta | None:
    """The pause that a server asks for by `Retry-After`, but no longer than that."""
    after = retry_after(response.headers.get("retry-after", ""), datetime.now(UTC))
    return None if after is None else min(after, longest)


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
