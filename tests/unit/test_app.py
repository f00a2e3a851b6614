"""`parallelizework.app`: the ASGI application for programs of a user's own."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import restate

import parallelizework
from parallelizework import Executor, FanOut
from parallelizework.errors import DefinitionError, StartError
from parallelizework.messages import VIRTUAL_OBJECTS
from parallelizework.serving.protocol_guard import Event, ProtocolGuard

pytestmark = pytest.mark.anyio

MANIFEST = b"application/vnd.restate.endpointmanifest.v4+json"
KEY = "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f"


def letters(text: str) -> list[str]:
    return list(text)


def code(letter: str) -> int:
    return ord(letter)


def added(codes: list[int]) -> int:
    return sum(codes)


codes = FanOut("Codes", split=letters, execute=code, aggregate=added)
coder = Executor("Coder", execute=code)
greeter = restate.Service("Greeter")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def answer(
    app: ProtocolGuard, path: str, headers: Mapping[bytes, bytes] = {}
) -> tuple[int, bytes]:
    """The status and body of a request with an empty body."""
    sent: list[Event] = []

    async def receive() -> Event:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: Event) -> None:
        sent.append(event)

    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "2",
        "method": "GET",
        "path": path,
        "headers": list(headers.items()),
    }
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(event.get("body", b"") for event in sent)


async def names(app: ProtocolGuard) -> set[str]:
    status, body = await answer(app, "/discover", {b"accept": MANIFEST})
    assert status == 200, body
    return {service["name"] for service in json.loads(body)["services"]}


async def test_fan_outs_executors_and_services_are_served_with_progress() -> None:
    app = parallelizework.app(codes, coder, greeter)

    assert await names(app) == {"Codes", "Coder", "Greeter", *VIRTUAL_OBJECTS}


async def test_an_executor_alone_is_served_without_progress() -> None:
    assert await names(parallelizework.app(coder)) == {"Coder"}


async def test_a_request_that_is_not_a_call_is_refused() -> None:
    status, _ = await answer(parallelizework.app(codes), "/invoke/Codes/run")

    assert status >= 400


async def test_with_identity_keys_an_unsigned_request_is_refused() -> None:
    app = parallelizework.app(codes, identity_keys=[KEY])

    status, _ = await answer(app, "/discover", {b"accept": MANIFEST})

    assert status == 401


async def test_nothing_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARALLELIZEWORK_FAN_OUTS", "nowhere.py")
    monkeypatch.setenv("PARALLELIZEWORK_IDENTITY_KEYS", KEY)

    assert "Codes" in await names(parallelizework.app(codes))


@pytest.mark.parametrize(
    "served",
    [(codes, codes), (greeter, greeter), (codes, restate.Service("Codes"))],
)
def test_two_services_of_one_name_are_refused(served: tuple[Any, ...]) -> None:
    with pytest.raises(DefinitionError, match="several services are named"):
        parallelizework.app(*served)


def test_on_aws_lambda_the_error_says_that_a_handler_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "mine")

    with pytest.raises(StartError, match="AWS Lambda calls a handler"):
        parallelizework.app(codes)
