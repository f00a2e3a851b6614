"""The requests that a client retries if a server does not respond."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from parallelizework.client.server_api import http
from parallelizework.client.server_api.http import Answer, Http, Request, TimedOut
from parallelizework.errors import Refused, Unreachable

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
