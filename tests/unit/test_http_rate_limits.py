"""When requests are sent to hosts that have answered `Retry-After`."""

import asyncio
from time import perf_counter

import pytest

from parallelizework.ready_made.http.sending.rate_limits import RateLimits, TooEarly

pytestmark = pytest.mark.anyio
HERE, THERE = ("http", b"here", None), ("http", b"there", None)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def refused(limits: RateLimits, seconds: float) -> float:
    """Refuse a request that is sent now; return the time."""
    now = perf_counter()
    limits.refused(HERE, 429, seconds, sent=now)
    return now


async def test_a_request_to_a_host_without_a_rate_limit_does_not_wait() -> None:
    limits = RateLimits()
    refused(limits, 3_600)

    await limits.wait(THERE)

    assert limits.is_open(THERE)
    assert not limits.is_open(HERE)


async def test_no_request_is_sent_before_the_time_of_retry_after() -> None:
    limits = RateLimits()
    start = refused(limits, 0.3)

    await limits.wait(HERE)

    assert perf_counter() - start >= 0.3
    assert limits.is_open(HERE)


async def test_after_retry_after_requests_are_sent_one_by_one_in_order() -> None:
    limits, sent = RateLimits(), list[tuple[int, float]]()
    start = refused(limits, 0.1)

    async def send(number: int) -> None:
        await limits.wait(HERE)
        sent.append((number, perf_counter() - start))

    await asyncio.gather(*map(send, range(4)))

    assert [number for number, _ in sent] == [0, 1, 2, 3]
    assert all(at >= 0.1 + 0.1 * number for number, at in sent)


async def test_a_waiting_request_also_waits_for_a_second_retry_after() -> None:
    limits = RateLimits()
    refused(limits, 0.1)
    waiting = asyncio.create_task(limits.wait(HERE))
    await asyncio.sleep(0)
    start = refused(limits, 0.4)

    await waiting

    assert perf_counter() - start >= 0.4


async def test_a_request_that_is_cancelled_delays_no_other() -> None:
    limits = RateLimits()
    refused(limits, 0.2)
    waiting = [asyncio.create_task(limits.wait(HERE)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()

    await waiting[2]

    assert [task.cancelled() for task in waiting] == [True, True, False]


@pytest.mark.parametrize(("seconds", "most"), [(30, 30), (3_600, 60)])
async def test_a_long_wait_is_refused_instead_of_made_in_the_process(
    seconds: float, most: float
) -> None:
    """The wait is a minute at most: perhaps only one path of the host is busy."""
    limits = RateLimits()
    refused(limits, seconds)

    with pytest.raises(TooEarly) as early:
        await limits.wait(HERE)

    assert 0 < early.value.seconds <= most
    assert early.value.status == 429


async def test_a_request_that_would_wait_behind_many_others_is_refused() -> None:
    limits = RateLimits()
    refused(limits, 1)
    waiting = [asyncio.create_task(limits.wait(HERE)) for _ in range(200)]
    await asyncio.sleep(0)

    early = [task for task in waiting if task.done() and task.exception()]
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)

    assert len(early) in range(80, 120)  # 100 take ten seconds


async def test_many_responses_of_a_host_end_its_rate_limit() -> None:
    limits = RateLimits()
    refused(limits, 3_600)
    for _ in range(300):
        limits.answered(HERE)

    await limits.wait(HERE)

    assert limits.is_open(HERE)


async def test_the_number_of_stored_rate_limits_is_bounded() -> None:
    limits = RateLimits()
    for number in range(1_001):
        limits.refused(("http", b"%d" % number, None), 429, 60, sent=0)

    assert limits.is_open(("http", b"0", None))
    assert not limits.is_open(("http", b"1", None))
    assert not limits.is_open(("http", b"1000", None))
