"""The client of HttpFanOut and a host that misbehaves: the outcome of each fault."""

import asyncio
import resource
import socket
from datetime import timedelta

import httpx
import pytest

from parallelizework.ready_made.http import HttpClient, Options, Request
from parallelizework.settings import HttpSettings

from ..misbehaving import MIB, Misbehaving
from ..processes import LONG
from .sending import refused, request, retried

pytestmark = pytest.mark.anyio
SOON = 0.3  # seconds: a timeout for a host that never answers


async def test_a_reply_has_the_url_and_the_body_of_the_response(
    client: HttpClient, target: Misbehaving
) -> None:
    sent = request(target, "/echo/a%20b?c=d", method="post", json={"e": "é"})

    reply = await client.send(sent)

    assert (reply.status, reply.url) == (200, sent.url)
    received = httpx.Response(200, content=reply.body).json()
    assert (received["method"], received["target"]) == ("POST", "/echo/a%20b?c=d")
    assert received["body"] == '{"e":"é"}'
    assert received["headers"]["content-type"] == "application/json"


async def test_a_cookie_of_one_request_is_not_sent_with_another(
    client: HttpClient, target: Misbehaving
) -> None:
    await client.send(request(target, "/body?kind=text/plain&hex=00"))

    reply = await client.send(request(target, "/echo"))

    assert b"visited" not in reply.body


async def test_a_refused_connection_is_retried(client: HttpClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"

        error = await retried(client, Request(url=url))

    assert error.status_code == 502
    assert error.message.startswith(f"GET {url} failed: ")


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/hang", 504, "took longer than 0.3 s"),
        ("/drip", 504, "took longer than 0.3 s"),
        ("/reset", 502, "failed: "),
        ("/short", 502, "failed: peer closed connection"),
        ("/garbage", 502, "failed: "),
        ("/packed/cut", 502, "failed: the gzip data of the body is incomplete"),
        ("/packed/none", 502, "failed: the body is not valid gzip"),
    ],
)
async def test_a_network_failure_or_invalid_response_raises_a_retryable_error(
    client: HttpClient, target: Misbehaving, path: str, status: int, message: str
) -> None:
    seconds = SOON if status == 504 else LONG
    error = await retried(client, request(target, path, timeout=seconds))

    assert error.status_code == status
    assert error.message.startswith(f"GET {target.url}{path} {message}")
    assert error.retry_after is None


async def test_at_most_content_length_bytes_are_read(
    client: HttpClient, target: Misbehaving
) -> None:
    reply = await client.send(request(target, "/long"))

    assert reply.body == b"ok"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_temporary_error_status_raises_a_retryable_error(
    client: HttpClient, target: Misbehaving, status: int
) -> None:
    error = await retried(client, request(target, f"/status/{status}"))

    assert error.status_code == status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 451, 501, 505])
async def test_any_other_error_is_final_and_shows_the_start_of_the_body(
    client: HttpClient, target: Misbehaving, status: int
) -> None:
    code, message = await refused(client, request(target, f"/status/{status}?key=k"))

    assert code == status
    about = f"GET {target.url}/status/{status} answered {status} "
    assert message.startswith(about)
    assert '{"host": "127.0.0.1:' in message
    assert len(message) < len(about) + 250
    assert "key=k" not in message


@pytest.mark.parametrize(
    ("after", "least", "most"),
    [("7", 7, 7), ("date-3000", 2_000, 3_000), ("99999999999999999999", 3_600, 3_600)],
)
async def test_retry_after_is_the_pause_of_the_error(
    client: HttpClient, target: Misbehaving, after: str, least: float, most: float
) -> None:
    error = await retried(client, request(target, f"/busy/said?after={after}"))

    assert error.retry_after
    assert timedelta(seconds=least) <= error.retry_after <= timedelta(seconds=most)


@pytest.mark.parametrize("after", ["soon", "-1", "1.5", "Wed,%2031%20Feb", ""])
async def test_an_invalid_retry_after_is_ignored(
    client: HttpClient, target: Misbehaving, after: str
) -> None:
    error = await retried(client, request(target, f"/busy/nonsense?after=x{after}"))

    assert error.retry_after is None


async def test_a_body_of_a_gigabyte_is_read_up_to_the_limit(
    client: HttpClient, target: Misbehaving
) -> None:
    code, message = await refused(client, request(target, "/huge"))

    assert (code, message) == (
        413,
        f"GET {target.url}/huge answered with more than 1,048,576 bytes",
    )
    assert target.sent < 64 * MIB  # what fits into the buffers in between


async def test_a_gzip_bomb_is_not_unpacked(
    client: HttpClient, target: Misbehaving
) -> None:
    await refused(client, request(target, "/bomb/2"))  # what else takes memory, has it
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    code, _ = await refused(client, request(target, "/bomb/60"))

    assert code == 413
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 1024  # KiB; the server's own 60 MiB are in this process too


async def test_gzip_is_unpacked(client: HttpClient, target: Misbehaving) -> None:
    reply = await client.send(request(target, "/packed/whole"))

    assert reply.body == b'{"packed": true}'


@pytest.mark.parametrize(
    ("method", "headers", "sent"),
    [
        ("POST", {}, "k"),
        ("PATCH", {}, "k"),
        ("POST", {"Idempotency-Key": "mine"}, "mine"),
        ("PUT", {}, None),
        ("GET", {}, None),
    ],
)
async def test_only_methods_that_are_not_idempotent_send_an_idempotency_key(
    client: HttpClient,
    target: Misbehaving,
    method: str,
    headers: dict[str, str],
    sent: str | None,
) -> None:
    target.ledger.clear()

    await client.send(
        request(target, "/echo/key", method=method, headers=headers), key="k"
    )

    assert target.ledger[0].headers.get("idempotency-key") == sent


@pytest.mark.parametrize(
    ("general", "own", "most"), [(3, None, 3), (3, 2, 2), (1, 2, 1)]
)
async def test_no_more_requests_than_the_limit_are_in_flight_to_a_host(
    target: Misbehaving, general: int, own: int | None, most: int
) -> None:
    settings = HttpSettings(
        allowed_hosts=("127.0.0.1",), max_concurrency_per_host=general
    )
    client, options = HttpClient(settings), Options(max_concurrency_per_host=own)
    path = f"/crowd/{most}/{general}-{own}"

    async with asyncio.TaskGroup() as group:
        for _ in range(3 * most):
            group.create_task(client.send(request(target, path), options))
    await client.aclose()

    assert len(target.requests_for(path)) == 3 * most
    assert target.most[path] == most


async def test_the_timeout_excludes_the_wait_for_the_limiter(
    target: Misbehaving,
) -> None:
    settings = HttpSettings(allowed_hosts=("127.0.0.1",), max_concurrency_per_host=1)
    client = HttpClient(settings)
    for seconds in (1, 4, 16):  # more, where even that was not enough for the request
        first = asyncio.create_task(client.send(request(target, "/hang/first")))
        sent = request(target, "/echo", timeout=seconds)
        second = asyncio.create_task(client.send(sent))
        await asyncio.sleep(seconds + 0.1)
        first.cancel()
        await asyncio.wait([second])
        if not second.exception():
            break
    await client.aclose()

    reply = second.result()
    assert reply.status == 200
    assert reply.seconds < seconds
