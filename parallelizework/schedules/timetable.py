"""`Timetable`: the times of a cron expression or of an interval. Pure."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_UNITS = ("days", "hours", "minutes", "seconds")
_INTERVAL = re.compile(
    r"every (?:(\d{1,8})d)?(?:(\d{1,8})h)?(?:(\d{1,8})m)?(?:(\d{1,8})s)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS = 5
_LONGEST = timedelta(days=366)


class Timetable(ABC):
    """The times at which a schedule starts runs, in UTC."""

    @abstractmethod
    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment; None if there is none in 50 years."""

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the times from `start` to `end`, both included, in their order."""
        time = self.after(start - timedelta(microseconds=1))
        while time and time <= end:
            yield time
            time = self.after(time)

    def latest(self, start: datetime, end: datetime, most: int) -> list[datetime]:
        """Return the latest times from `start` to `end`, both included.

        The cost does not depend on the length of the period.

        Args:
            start: The start of the period.
            end: The end of the period.
            most: The largest number of times to return.
        """
        span = timedelta(minutes=most)
        while True:
            begin = max(start, end - span)
            found = list(self.between(begin, end))
            if begin == start or len(found) >= most:
                return found[-most:]
            span *= 2


class Interval(Timetable):
    """The multiples of a period since 1970-01-01T00:00Z: so no time drifts.

    Args:
        period: The time between two times.
    """

    def __init__(self, period: timedelta) -> None:
        self._period = period

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment."""
        return _EPOCH + ((moment - _EPOCH) // self._period + 1) * self._period


class Cron(Timetable):
    """The times of a cron expression in a time zone, by the rules of Debian's cron.

    A time of day that summer time skips is moved to the end of the gap. A time of day
    that occurs twice is one time: the first one.

    Args:
        expression: Five fields.
        zone: The time zone.
    """

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        self._expression = expression
        self._zone = zone

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment; None if there is none in 50 years."""
        for local in CronSim(self._expression, moment.astimezone(self._zone)):
            time = local.astimezone(UTC)
            if time > moment:  # the hour that occurs twice may return an earlier time
                return time
        return None


@lru_cache(maxsize=1_024)
def timetable(cron: str, zone: str) -> Timetable:
    """Return the timetable of a cron expression.

    Args:
        cron: Five fields; or a shorthand such as `@daily`; or an interval such as
            `every 30s` or `every 1h30m`.
        zone: The name of a time zone, such as `Europe/Berlin`.

    Raises:
        ValueError: The expression or the zone is invalid. The message says what to use
            instead.
    """
    found = _zone(zone)
    if cron.startswith("every"):
        return _interval(cron)
    expression = _SHORTHANDS.get(cron, cron)
    if len(expression.split()) != _FIELDS:
        raise ValueError(
            f"{cron!r} is not a cron expression: use five fields, such as '0 3 * * *' "
            "(minute, hour, day of the month, month, day of the week), or @daily, or "
            "'every 30s'"
        )
    try:
        made = Cron(expression, found)
        has_times = made.after(_EPOCH) is not None
    except CronSimError as error:
        message = f"{cron!r} is not a cron expression: {error}"
        raise ValueError(f"{message}. A valid example is '30 3 * * MON-FRI'") from error
    if not has_times:
        raise ValueError(f"{cron!r} has no time: use a date that exists")
    return made


def _interval(text: str) -> Interval:
    found = _INTERVAL.fullmatch(text)
    counts = [int(count) for count in found.groups("0")] if found else [0] * 4
    period = timedelta(**dict(zip(_UNITS, counts, strict=True)))
    if not timedelta(0) < period <= _LONGEST:
        raise ValueError(
            f"{text!r} is not an interval: use 'every 30s', 'every 5m', 'every 1h30m' "
            "or 'every 2d', with 366 days at most"
        )
    return Interval(period)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # KeyError: unknown
        raise ValueError(
            f"{name!r} is not a time zone: use a name such as 'Europe/Berlin' or 'UTC'"
        ) from error
