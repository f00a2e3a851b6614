"""The times of schedules, also at both changes of summer time."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallelizework.schedules.timetable import timetable

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
CRONS = [
    "* * * * *",
    "*/7 * * * *",
    "30 2 * * *",
    "0 * * * *",
    "15 1-3 * * *",
    "59 23 31 * *",
    "0 12 * * MON-FRI",
    "30 1 * 3,10,11 SUN",
]
INTERVALS = ["every 1s", "every 90s", "every 1h30m", "every 2d"]
ZONES = ["UTC", BERLIN, NEW_YORK, "Australia/Lord_Howe", "Asia/Kathmandu"]
moments = st.datetimes(
    datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)
)


def local_times(cron: str, zone: str, start: str, count: int) -> list[str]:
    """The first times from a local date on, with their offsets."""
    here = ZoneInfo(zone)
    begin = datetime.fromisoformat(start).replace(tzinfo=here)
    found = timetable(cron, zone).between(begin, begin + timedelta(days=30))
    return [f"{t.astimezone(here):%m-%d %H:%M %z}" for t in islice(found, count)]


@pytest.mark.parametrize(
    ("zone", "date", "expected"),
    [
        (
            BERLIN,  # from 02:00 to 03:00 on 28 March 2027
            "2027-03-27",
            ["03-27 02:30 +0100", "03-28 03:00 +0200", "03-29 02:30 +0200"],
        ),
        (
            NEW_YORK,  # from 02:00 to 03:00 on 14 March 2027
            "2027-03-13",
            ["03-13 02:30 -0500", "03-14 03:00 -0400", "03-15 02:30 -0400"],
        ),
    ],
)
def test_a_time_that_summer_time_skips_is_moved_to_the_end_of_the_gap(
    zone: str, date: str, expected: list[str]
) -> None:
    assert local_times("30 2 * * *", zone, date, 3) == expected


@pytest.mark.parametrize(
    ("cron", "zone", "date", "expected"),
    [
        (
            "30 2 * * *",
            BERLIN,
            "2026-10-24",
            ["10-24 02:30 +0200", "10-25 02:30 +0200", "10-26 02:30 +0100"],
        ),
        (
            "30 1 * * *",
            NEW_YORK,
            "2026-10-31",
            ["10-31 01:30 -0400", "11-01 01:30 -0400", "11-02 01:30 -0500"],
        ),
    ],
)
def test_a_time_that_occurs_twice_in_autumn_is_one_time(
    cron: str, zone: str, date: str, expected: list[str]
) -> None:
    assert local_times(cron, zone, date, 3) == expected


def test_an_hourly_schedule_has_a_time_in_each_real_hour_in_autumn() -> None:
    times = local_times("0 * * * *", BERLIN, "2026-10-25", 5)

    assert times == [
        "10-25 00:00 +0200",
        "10-25 01:00 +0200",
        "10-25 02:00 +0200",
        "10-25 02:00 +0100",
        "10-25 03:00 +0100",
    ]


def test_after_the_first_of_two_equal_times_the_next_time_is_on_the_next_day() -> None:
    table = timetable("30 2 * * *", BERLIN)
    second = datetime(2026, 10, 25, 2, 10, tzinfo=ZoneInfo(BERLIN), fold=1)

    assert table.after(second) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@given(st.sampled_from(CRONS + INTERVALS), st.sampled_from(ZONES), moments)
def test_each_time_is_after_the_one_before(
    cron: str, zone: str, moment: datetime
) -> None:
    table = timetable(cron, zone)
    times = [moment]
    for _ in range(20):
        following = table.after(times[-1])
        assert following
        times.append(following)

    assert all(first < second for first, second in pairwise(times))


@given(
    st.sampled_from(CRONS + INTERVALS),
    st.sampled_from(ZONES),
    moments,
    st.lists(st.floats(0, 1), max_size=8),
)
def test_wherever_a_period_is_divided_no_time_is_lost_and_none_occurs_twice(
    cron: str, zone: str, start: datetime, cuts: list[float]
) -> None:
    table = timetable(cron, zone)
    period = timedelta(minutes=10 if cron in ("every 1s", "every 90s") else 3 * 1440)
    moments = sorted([start, start + period, *(start + period * cut for cut in cuts)])
    instant = timedelta(microseconds=1)

    divided = [
        time
        for begin, end in pairwise(moments)
        for time in table.between(begin + instant, end)
    ]

    assert divided == list(table.between(start + instant, start + period))


@given(
    st.sampled_from(CRONS + INTERVALS),
    st.sampled_from(ZONES),
    moments,
    st.lists(st.floats(-0.4, 90), min_size=1, max_size=20),
)
def test_ticks_of_wrong_clocks_and_after_outages_handle_each_time_once(
    cron: str, zone: str, start: datetime, delays: list[float]
) -> None:
    """As `tick` does: a delay is negative if the clock of the worker is behind."""
    table, handled = timetable(cron, zone), list[datetime]()
    due = table.after(start)

    for delay in delays:
        assert due
        now = max(due, due + timedelta(seconds=delay))
        handled += table.latest(due, now, 1_000)
        due = table.after(max(now, handled[-1]))

    assert handled == list(table.between(start + timedelta.resolution, handled[-1]))
    assert handled[0] == table.after(start)


@given(
    st.sampled_from(["* * * * *", "30 2 * * *", "every 90s", "0 12 * * MON-FRI"]),
    st.sampled_from(ZONES),
    moments,
    st.integers(0, 100),
    st.integers(1, 50),
)
def test_the_latest_times_are_the_end_of_all_times(
    cron: str, zone: str, start: datetime, hours: int, most: int
) -> None:
    table, end = timetable(cron, zone), start + timedelta(hours=hours)

    assert table.latest(start, end, most) == list(table.between(start, end))[-most:]


def test_the_latest_times_of_a_long_outage_are_found_soon() -> None:
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)

    found = timetable("every 1s", "UTC").latest(start, end, 3)

    assert found == [end - timedelta(seconds=back) for back in (2, 1, 0)]


@pytest.mark.parametrize(
    ("cron", "same"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
    ],
)
def test_a_shorthand_has_the_times_of_its_expression(cron: str, same: str) -> None:
    moment = datetime(2026, 5, 5, tzinfo=UTC)

    assert timetable(cron, BERLIN).after(moment) == timetable(same, BERLIN).after(
        moment
    )


@pytest.mark.parametrize(
    ("cron", "zone", "message"),
    [
        ("", "UTC", "use five fields"),
        ("0 0 3 * * *", "UTC", "use five fields"),
        ("@reboot", "UTC", "use five fields"),
        ("61 * * * *", "UTC", "Bad minute"),
        ("0 3 * * XYZ", "UTC", "Bad day-of-week"),
        ("0 0 31 2 *", "UTC", "Bad day-of-month"),
        ("every", "UTC", "use 'every 30s'"),
        ("every 0s", "UTC", "use 'every 30s'"),
        ("every 30", "UTC", "use 'every 30s'"),
        ("every 400d", "UTC", "366 days at most"),
        ("every 999999999d", "UTC", "366 days at most"),
        ("every 999999999d999999999h", "UTC", "366 days at most"),
        ("every 9999999999s", "UTC", "366 days at most"),
        ("@daily", "Mars/Base", "is not a time zone"),
        ("@daily", "../etc/passwd", "is not a time zone"),
    ],
)
def test_the_error_about_an_invalid_value_says_what_to_use(
    cron: str, zone: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        timetable(cron, zone)
