"""The client of HttpFanOut and a server that misbehaves: what comes of each fault."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import httpx
import pytest
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.ready_made.http import HttpClient, Options, Request
from parallelizework.ready_made.http.hosts.addresses import Address
from parallelizework.settings import HttpSettings

from .misbehaving import MIB, Misbehaving, misbehaving
from .processes import LONG

pytestmark = pytest.mark.anyio
SOON = 0.3  # seconds: a timeout for what would take for ever
FOLLOWING = Options(follow_redirects=True)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def target() -> Iterator[Misbehaving]:
    with misbehaving() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient(HttpSettings(allowed_hosts=("127.0.0.1",)))
    yield client
    await client.aclose()


def request(target: Misbehaving, path: str, **more: Any) -> Request:
    return Request.model_validate({"url": target.url + path, **more})


async def refused(
    client: HttpClient, sent: Request, options: Options | None = None
) -> tuple[int, str]:
    """The error that is final."""
    with pytest.raises(TerminalError) as error:
        await client.send(sent, options)
    return error.value.status_code, error.value.message


async def missed(client: HttpClient, sent: Request) -> RetryableError:
    """The error that is tried again."""
    with pytest.raises(RetryableError) as error:
        await client.send(sent)
    return error.value


async def test_a_reply_is_what_was_answered(
    client: HttpClient, target: Misbehaving
) -> None:
    sent = request(target, "/echo/a%20b?c=d", method="post", json={"e": "é"})

    reply = await client.send(sent)

    assert (reply.status, reply.url) == (200, sent.url)
    told = httpx.Response(200, content=reply.body).json()
    assert (told["method"], told["target"]) == ("POST", "/echo/a%20b?c=d")
    assert told["body"] == '{"e":"é"}'
    assert told["headers"]["content-type"] == "application/json"


async def test_no_cookie_goes_from_one_request_into_another(
    client: HttpClient, target: Misbehaving
) -> None:
    await client.send(request(target, "/body?kind=text/plain&hex=00"))

    reply = await client.send(request(target, "/echo"))

    assert b"visited" not in reply.body


async def test_one_that_refuses_connections_is_tried_again(client: HttpClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"

        error = await missed(client, Request(url=url))

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
        ("/packed/cut", 502, "failed: its body ends within the gzip"),
        ("/packed/none", 502, "failed: its body is no gzip"),
    ],
)
async def test_what_may_pass_is_tried_again(
    client: HttpClient, target: Misbehaving, path: str, status: int, message: str
) -> None:
    seconds = SOON if status == 504 else LONG
    error = await missed(client, request(target, path, timeout=seconds))

    assert error.status_code == status
    assert error.message.startswith(f"GET {target.url}{path} {message}")
    assert error.retry_after is None


async def test_no_more_is_read_than_was_promised(
    client: HttpClient, target: Misbehaving
) -> None:
    reply = await client.send(request(target, "/long"))

    assert reply.body == b"ok"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_status_that_may_pass_is_tried_again(
    client: HttpClient, target: Misbehaving, status: int
) -> None:
    error = await missed(client, request(target, f"/status/{status}"))

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
async def test_a_server_says_when_to_come_back(
    client: HttpClient, target: Misbehaving, after: str, least: float, most: float
) -> None:
    error = await missed(client, request(target, f"/busy/said?after={after}"))

    assert error.retry_after
    assert timedelta(seconds=least) <= error.retry_after <= timedelta(seconds=most)


@pytest.mark.parametrize("after", ["soon", "-1", "1.5", "Wed,%2031%20Feb", ""])
async def test_nonsense_about_when_to_come_back_is_ignored(
    client: HttpClient, target: Misbehaving, after: str
) -> None:
    error = await missed(client, request(target, f"/busy/nonsense?after=x{after}"))

    assert error.retry_after is None


async def test_of_a_gigabyte_no_more_is_read_than_is_allowed(
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


async def test_a_redirect_is_a_reply_unless_it_is_to_be_followed(
    client: HttpClient, target: Misbehaving
) -> None:
    sent = request(target, f"/to/302?url={target.url}/echo", method="POST", body="b")

    here = await client.send(sent)
    there = await client.send(sent, FOLLOWING)

    assert (here.status, here.headers["location"]) == (302, f"{target.url}/echo")
    assert (there.status, there.url) == (200, f"{target.url}/echo")
    assert b'"method": "GET"' in there.body


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/to/302?url=http://10.0.0.1/", 403, "10.0.0.1 is at 10.0.0.1, where"),
        ("/to/307?url=http://[::1]/", 403, "::1 is at ::1, where"),
        ("/to/302?url=http://169.254.169.254/", 403, "is at 169.254.169.254, where"),
        ("/to/302?url=file:///etc/passwd", 502, "no URL of http or https"),
    ],
)
async def test_a_redirect_to_where_it_may_not_go_is_refused(
    client: HttpClient, target: Misbehaving, path: str, code: int, message: str
) -> None:
    answer = await refused(client, request(target, path), FOLLOWING)

    assert answer[0] == code
    assert message in answer[1]


async def test_a_chain_of_redirects_has_an_end(
    client: HttpClient, target: Misbehaving
) -> None:
    code, _ = await refused(client, request(target, "/loop"), FOLLOWING)

    assert code == 508
    assert len(target.asked("/loop")) == 11


def resolver(*answers: str) -> Any:
    """Look-ups that give one answer after the other, and a list of what was asked."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[Address]:
        asked.append(host)
        return [ip_address(answers[len(asked) - 1])]

    return resolve, asked


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    target: Misbehaving,
) -> None:
    """A name that is at an allowed address when it is checked, then elsewhere."""
    resolve, asked = resolver("127.0.0.1", "10.0.0.1")
    settings = HttpSettings(allowed_hosts=("*", "127.0.0.1"))
    client, later = HttpClient(settings, resolve), HttpClient(settings, resolve)
    url = f"http://rebinding.example:{target.port}/echo"

    replies = [await client.send(Request(url=url)) for _ in range(2)]
    await client.aclose()
    code, message = await refused(later, Request(url=url))

    assert [reply.status for reply in replies] == [200, 200]
    assert code == 403
    assert "rebinding.example is at 10.0.0.1, where the allowed hosts" in message
    assert asked == ["rebinding.example"] * 2


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "fd00:ec2::254",
    ],
)
async def test_a_glob_reaches_nothing_private(address: str) -> None:
    resolve, _ = resolver(address)
    client = HttpClient(HttpSettings(allowed_hosts=("*",)), resolve)

    code, message = await refused(client, Request(url="http://somewhere.example/"))

    assert code == 403
    assert f"is at {ip_address(address)}, where the allowed hosts" in message


async def test_a_host_that_is_not_allowed_is_not_even_looked_up() -> None:
    resolve, asked = resolver("93.184.215.14")
    client = HttpClient(HttpSettings(allowed_hosts=("*.example.com",)), resolve)

    code, _ = await refused(client, Request(url="http://example.org/"))

    assert (code, asked) == (403, [])


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
async def test_an_address_in_disguise_is_seen_for_what_it_is(host: str) -> None:
    client = HttpClient(HttpSettings(allowed_hosts=("*",)))

    code, message = await refused(client, Request(url=f"http://{host}/"))

    assert code == 403
    assert "127.0.0.1" in message


async def test_a_secret_is_sent_and_shown_nowhere(
    target: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARALLELIZEWORK_HTTP_SECRET_TOKEN", "Bearer s3cr3t")
    client = HttpClient(HttpSettings(allowed_hosts=("127.0.0.1",)))
    headers = {"Authorization": {"secret": "TOKEN"}}

    reply = await client.send(request(target, "/echo/secret", headers=headers))
    _, message = await refused(client, request(target, "/status/404", headers=headers))
    await client.aclose()

    [asked] = target.asked("/echo/secret")
    assert asked.headers["authorization"] == "Bearer s3cr3t"
    assert b'"authorization": "***"' in reply.body
    assert "s3cr3t" not in message
    assert '"authorization": "***"' in message


async def test_a_secret_does_not_follow_a_redirect_to_another_origin(
    target: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARALLELIZEWORK_HTTP_SECRET_TOKEN", "s3cr3t")
    client = HttpClient(HttpSettings(allowed_hosts=("127.0.0.1",)))
    headers = {"X-Key": {"secret": "TOKEN"}, "Cookie": "a=b", "X-Other": "c"}
    with misbehaving() as elsewhere:
        for place in (target, elsewhere):
            path = f"/to/307?url={place.url}/echo/redirected"
            await client.send(request(target, path, headers=headers), FOLLOWING)
        await client.aclose()

    [same] = target.asked("/echo/redirected")
    [other] = elsewhere.asked("/echo/redirected")
    assert same.headers["x-key"] == "s3cr3t"
    assert other.headers["x-other"] == "c"
    assert not {"x-key", "cookie"} & other.headers.keys()


@pytest.mark.parametrize(
    ("value", "hosts", "complaint"),
    [
        (None, {}, "the worker has no secret TOKEN: set PARALLELIZEWORK_HTTP_SECRET"),
        ("s3cr3t", {"TOKEN": ("example.com",)}, "the secret TOKEN is not for 127.0.0"),
        ("s3\ncr3t", {}, "the secret TOKEN has a line break"),
    ],
)
async def test_a_secret_that_cannot_be_sent_is_a_clear_400(
    target: Misbehaving,
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    hosts: dict[str, tuple[str, ...]],
    complaint: str,
) -> None:
    if value:
        monkeypatch.setenv("PARALLELIZEWORK_HTTP_SECRET_TOKEN", value)
    settings = HttpSettings(allowed_hosts=("127.0.0.1",), hosts_of_secrets=hosts)
    headers = {"X-Key": {"secret": "TOKEN"}}

    code, message = await refused(
        HttpClient(settings), request(target, "/echo/nothing", headers=headers)
    )

    assert code == 400
    assert message.startswith(complaint)
    assert "cr3t" not in message
    assert not target.asked("/echo/nothing")


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
async def test_what_must_not_happen_twice_has_a_key(
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
async def test_no_more_requests_than_places_are_at_a_host_at_once(
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

    assert len(target.asked(path)) == 3 * most
    assert target.most[path] == most


async def test_waiting_for_a_place_takes_nothing_of_the_time_for_a_request(
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
