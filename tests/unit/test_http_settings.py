"""The settings of HttpFanOut, and the values of `Retry-After`."""

from datetime import UTC, datetime, timedelta

import pytest
from restate import TerminalError

from parallelizework.ready_made.http.fan_out import http_fan_out
from parallelizework.ready_made.http.sending.retries import retry_after
from parallelizework.ready_made.http.task import Requests
from parallelizework.settings import HttpSettings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_without_allowed_hosts_http_fan_out_is_off() -> None:
    split = http_fan_out(HttpSettings()).definition.split

    with pytest.raises(TerminalError, match="_HTTP_ALLOWED_HOSTS") as off:
        await split(Requests(requests=[]))

    assert off.value.status_code == 403


def test_hosts_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARALLELIZEWORK_HTTP_ALLOWED_HOSTS", "a.example *.b.example")
    monkeypatch.setenv("PARALLELIZEWORK_HTTP_HOSTS_OF_SECRETS", "T=a T=b U=c")

    settings = HttpSettings()

    assert settings.allowed_hosts == ("a.example", "*.b.example")
    assert settings.hosts_of_secrets == {"T": ("a", "b"), "U": ("c",)}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Sunday, 22-Nov-26 12:00:30 GMT", 30),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("Sun, 99 Nov 2026 12:01:00 GMT", None),
        ("9" * 5_000, 10**9),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)

    assert retry_after(value, NOON) == expected
