"""The client of HttpFanOut and a host that asks to come back later."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from parallelizework import Postponed
from parallelizework.ready_made.http import HttpClient, Request
from parallelizework.settings import HttpSettings

from ..misbehaving import Misbehaving, misbehaving
from ..processes import LONG

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """One request at a time to each host, whatever its port."""
    client = HttpClient(
        HttpSettings(
            allowed_hosts=("127.0.0.1",),
            max_concurrency_per_host=1,
            max_postponement=1_000,
        )
    )
    yield client
    await client.aclose()


async def postponed(client: HttpClient, url: str) -> Postponed:
    with pytest.raises(Postponed) as error:
        await client.send(Request(url=url))
    return error.value


@pytest.mark.parametrize("status", [429, 503])
async def test_a_request_to_a_busy_host_is_postponed(
    client: HttpClient, target: Misbehaving, status: int
) -> None:
    error = await postponed(client, f"{target.url}/busy/{status}?after=7")

    assert error.status_code == status
    assert error.retry_after == timedelta(seconds=7)
    assert error.within == timedelta(seconds=1_000)


async def test_the_timeout_excludes_the_wait_for_a_rate_limit(
    client: HttpClient, target: Misbehaving
) -> None:
    for seconds in (1, 4, 9):  # more, where even that was not enough for the request
        path = f"/busy/429?after={seconds}&short"
        await postponed(client, target.url + path)
        sent = Request(url=f"{target.url}/echo/{seconds}", timeout=seconds - 0.01)
        [reply] = await asyncio.gather(client.send(sent), return_exceptions=True)
        if not isinstance(reply, BaseException):
            break

    [first], [second] = (
        target.requests_for(path),
        target.requests_for(f"/echo/{seconds}"),
    )
    assert not isinstance(reply, BaseException)
    assert second.at - first.at >= seconds - 0.01


async def test_a_request_that_waits_for_a_rate_limit_does_not_block_other_hosts(
    client: HttpClient, target: Misbehaving
) -> None:
    await postponed(client, f"{target.url}/busy/429?after=9&other")
    waiting = asyncio.create_task(client.send(Request(url=f"{target.url}/echo/late")))
    await asyncio.sleep(0)

    with misbehaving() as other:
        reply = await client.send(Request(url=f"{other.url}/echo"))
    waiting.cancel()
    await asyncio.wait([waiting], timeout=LONG)

    assert reply.status == 200
    assert waiting.cancelled()
    assert not target.requests_for("/echo/late")


async def test_a_request_with_a_long_wait_is_postponed_and_not_sent(
    client: HttpClient, target: Misbehaving
) -> None:
    await postponed(client, f"{target.url}/busy/503?after=40")

    error = await postponed(client, f"{target.url}/echo/never?key=k")

    assert error.status_code == 503
    assert error.message == (
        f"GET {target.url}/echo/never was not sent, because 127.0.0.1 answered 503 and "
        "asked for a pause"
    )
    assert error.retry_after
    assert timedelta(seconds=10) < error.retry_after <= timedelta(seconds=40)
    assert not target.requests_for("/echo/never?key=k")


async def test_a_request_that_waited_for_the_limiter_obeys_a_later_rate_limit(
    client: HttpClient, target: Misbehaving
) -> None:
    """It is behind the one that is refused."""
    path = "/busy/429?after=1&behind"
    urls = [target.url + path, f"{target.url}/echo/behind"]

    _, reply = await asyncio.gather(
        *(client.send(Request(url=url)) for url in urls), return_exceptions=True
    )

    [first], [second] = target.requests_for(path), target.requests_for("/echo/behind")
    assert not isinstance(reply, BaseException)
    assert second.at - first.at >= 0.99
