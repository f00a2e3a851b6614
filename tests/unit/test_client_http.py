"""The requests that a client retries, and the errors about a wrong URL."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from parallelizework.client.codec import plain
from parallelizework.client.server_api import http
from parallelizework.client.server_api.admin import Admin
from parallelizework.client.server_api.http import Answer, Http, Request, TimedOut
from parallelizework.client.server_api.ingress import Ingress, Options
from parallelizework.client.server_api.server import Server
from parallelizework.client.server_api.sql import Sql
from parallelizework.client.submission import submit
from parallelizework.errors import Refused, UnknownFanOut, Unreachable
from parallelizework.notifications import WebhookUrl

URL = "http://127.0.0.1:1/"
READ = Request("GET", URL, repeatable=True)
WRITE = Request("POST", URL)
OK = httpx.Response(200, content=b"{}")
BAD_GATEWAY = httpx.Response(502, content=b"<h1>Bad gateway</h1>")
AWAY = httpx.ConnectError("nobody is there")

Connect = Callable[..., Http]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the pauses of a client without waiting."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(http, "sleep", sleep)
    return made


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connect to a server with these answers in order; the last answer repeats."""
    opened: list[Http] = []

    def made(*answers: httpx.Response | Exception) -> Http:
        left = list(answers)

        def answer(_: httpx.Request) -> httpx.Response:
            found = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(found, Exception):
                raise found
            return found

        opened.append(Http(httpx.MockTransport(answer)))
        return opened[-1]

    yield made
    for each in opened:
        await each.close()


async def test_an_idempotent_request_is_retried_after_a_pause(
    connect: Connect, pauses: list[float]
) -> None:
    answer = await connect(AWAY, OK).ask(READ)

    assert answer == Answer(200, b"{}")
    assert pauses == [0.1]


async def test_a_request_that_is_not_idempotent_is_sent_once(
    connect: Connect, pauses: list[float]
) -> None:
    with pytest.raises(Unreachable):
        await connect(AWAY, OK).ask(WRITE)

    assert pauses == []


async def test_a_request_to_an_unreachable_server_is_sent_four_times(
    connect: Connect, pauses: list[float]
) -> None:
    with pytest.raises(Unreachable, match="no restate-server answers"):
        await connect(AWAY).ask(READ)

    assert pauses == [0.1, 0.3, 1.0]


async def test_an_accepted_request_without_a_response_is_not_retried(
    connect: Connect, pauses: list[float]
) -> None:
    with pytest.raises(TimedOut):
        await connect(httpx.ReadTimeout("late"), OK).ask(READ)

    assert pauses == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message": "no such thing"}', "no such thing"),
        (b"oops", "oops"),
        (b"", "500"),
    ],
)
async def test_an_error_has_the_message_of_the_server(
    connect: Connect, body: bytes, message: str
) -> None:
    with pytest.raises(Refused, match=message):
        await connect(httpx.Response(500, content=body)).need(READ)


async def test_a_client_retries_during_an_outage_and_then_reports_the_outage(
    connect: Connect, pauses: list[float]
) -> None:
    with pytest.raises(Unreachable, match=r"502 by a proxy .*Bad gateway"):
        await connect(BAD_GATEWAY).ask(READ)

    assert pauses == [0.1, 0.3, 1.0, 2.0, 4.0]


async def test_a_request_that_is_not_idempotent_is_not_retried_during_an_outage(
    connect: Connect, pauses: list[float]
) -> None:
    with pytest.raises(Unreachable):
        await connect(BAD_GATEWAY, OK).ask(WRITE)

    assert pauses == []


BODY = b'{"code": 503, "message": "busy"'


@pytest.mark.parametrize(
    ("answer", "is_outage", "is_of_invocation"),
    [
        (Answer(502, b"<h1>Bad gateway</h1>"), True, False),
        (Answer(504, b""), True, False),
        (Answer(503, BODY + b"}", "ingress"), True, False),
        (Answer(503, BODY + b', "source": "ingress"}'), True, False),
        (Answer(503, BODY + b"}", "invocation"), False, True),
        (Answer(503, BODY + b', "source": "invocation"}'), False, True),
        (Answer(503, BODY + b"}"), False, True),
        (Answer(500, b"oops"), False, False),
        (Answer(403, b"[]"), False, False),
    ],
)
def test_an_error_of_a_proxy_is_not_an_error_of_an_invocation(
    answer: Answer, *, is_outage: bool, is_of_invocation: bool
) -> None:
    assert answer.is_outage == is_outage
    assert answer.is_of_invocation == is_of_invocation


NOT_FOUND = httpx.Response(404)
BY_ADMIN = httpx.Response(200, content=b'{"min_admin_api_version":2}')
BY_INGRESS = httpx.Response(400, json={"message": "bad path", "source": "ingress"})


async def test_the_url_of_an_admin_api_is_not_the_url_of_an_ingress(
    connect: Connect,
) -> None:
    is_refused = r"http://a is the URL of an admin API, not of an ingress: set .*--ingr"

    with pytest.raises(Refused, match=is_refused):
        await Ingress(connect(NOT_FOUND, BY_ADMIN), "http://a").submit(
            "Squares", b"3", Options()
        )
    with pytest.raises(Refused, match=is_refused):
        await Ingress(connect(NOT_FOUND, BY_ADMIN), "http://a").result("inv_1", 1)
    with pytest.raises(Refused, match=is_refused):
        await Ingress(connect(NOT_FOUND, BY_ADMIN), "http://a").check()


async def test_an_empty_404_of_a_proxy_is_not_an_answer_of_an_admin_api(
    connect: Connect,
) -> None:
    ingress = Ingress(connect(NOT_FOUND), "http://a")

    with pytest.raises(UnknownFanOut):
        await ingress.submit("Squares", b"3", Options())
    with pytest.raises(Refused, match="status 404"):
        await ingress.check()

    ingress = Ingress(connect(NOT_FOUND, BAD_GATEWAY), "http://a")
    with pytest.raises(UnknownFanOut):
        await ingress.submit("Squares", b"3", Options())


async def test_the_url_of_an_ingress_is_not_the_url_of_an_admin_api(
    connect: Connect,
) -> None:
    is_refused = r"http://a is the URL of an ingress, not of an admin API: set .*--adm"
    http = connect(BY_INGRESS)
    admin = Admin(http, "http://a")

    with pytest.raises(Refused, match=is_refused):
        await admin.services()
    with pytest.raises(Refused, match=is_refused):
        await admin.register("http://b", force=False)
    with pytest.raises(Refused, match=is_refused):
        await admin.steer("inv_1", "cancel")
    with pytest.raises(Refused, match=is_refused):
        await Sql(http, "http://a").recent("true", 1)


async def test_an_answer_of_another_server_is_refused(connect: Connect) -> None:
    page = httpx.Response(200, content=b"<html></html>")
    other = httpx.Response(200, content=b'{"rows": 3}')

    for answer in (page, other, OK):
        with pytest.raises(Refused, match="not that of a restate-server"):
            await Sql(connect(answer), "http://a").recent("true", 1)
        with pytest.raises(Refused, match="not that of a restate-server"):
            await Ingress(connect(answer), "http://a").submit("A", b"3", Options())


async def test_many_waits_for_results_do_not_block_other_requests() -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"/wait" in request:
            await ended.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    http = Http()
    async with server, asyncio.TaskGroup() as group:
        waits = Request("GET", f"{url}/wait")
        waiting = [group.create_task(http.ask(waits)) for _ in range(150)]
        await asyncio.sleep(0)
        answer = await http.ask(Request("GET", f"{url}/other"))
        assert answer.ok
        assert not any(task.done() for task in waiting)
        ended.set()
    await http.close()


async def test_receivers_may_be_an_iterator(connect: Connect) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        return httpx.Response(200, content=b'{"invocationId": "inv_1", "status": ""}')

    http, url = Http(httpx.MockTransport(answer)), "http://a"
    server = Server(http, Ingress(http, url), Admin(http, url), Sql(http, url))
    receivers = (WebhookUrl(f"https://{host}") for host in ("x.com", "y.com"))

    await submit(server, plain("Squares"), 3, Options(), receivers)

    assert sent[0].endswith("/check")
    assert sent[2].endswith("/whenDone")


async def test_a_fan_out_of_another_server_is_not_suggested(connect: Connect) -> None:
    handlers = [{"name": "run"}, {"name": "runSegment"}]
    service = {"name": "Squares", "handlers": handlers, "deployment_id": "dp_1"}
    unknown = {"message": "service 'Squares' not found", "source": "ingress"}
    ingress = connect(httpx.Response(404, json=unknown))
    admin = connect(httpx.Response(200, json={"services": [service]}))
    server = Server(
        ingress,
        Ingress(ingress, "http://a"),
        Admin(admin, "http://b"),
        Sql(admin, "http://b"),
    )

    with pytest.raises(UnknownFanOut) as refused:
        await submit(server, plain("Squares"), 3, Options())

    assert str(refused.value) == (
        "no worker serves a fan-out 'Squares'; http://b lists it: check that this "
        "admin API and the ingress http://a are of the same server"
    )
