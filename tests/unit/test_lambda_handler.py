"""The handler for AWS Lambda, called as the runtime calls it."""

import asyncio
import base64
import json
import re
import selectors
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import restate

import parallelizework.aws_lambda
from parallelizework import Executor, FanOut, Policy
from parallelizework.aws_lambda.lambda_handler import LambdaHandler
from parallelizework.errors import StartError
from parallelizework.progress.update_limit import update_limit
from parallelizework.serde.message_limit import message_limit

from .test_recorded_answer import END, OUTPUT, field, journal, kinds, message

VERSION = "application/vnd.restate.invocation.v6"
MANIFEST = "application/vnd.restate.endpointmanifest.v4+json"
KEY = "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f"
INPUT = 0x0400
ONE_ATTEMPT = Policy(max_attempts=1)


class Context:
    """The context of an invocation."""

    def __init__(self, seconds: float = 60) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(self._seconds * 1000)


def event(path: str, body: bytes = b"", **headers: str) -> dict[str, Any]:
    return {
        "path": path,
        "httpMethod": "POST",
        "headers": headers,
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def call(path: str, value: object) -> dict[str, Any]:
    """The request of a first call with a value."""
    content = field(14, field(1, json.dumps(value).encode()))
    body = journal(message(INPUT, content))
    return event(f"/invoke/{path}", body, **{"content-type": VERSION})


def body(response: dict[str, Any]) -> bytes:
    return base64.b64decode(response["body"])


def block() -> None:
    time.sleep(60)


async def block_later() -> None:
    await asyncio.sleep(0.05)
    block()


async def block_in_a_child() -> None:
    await asyncio.create_task(block_later())


def select() -> None:
    with selectors.DefaultSelector() as selector:
        selector.select(60)


def use_a_default() -> None:
    with suppress(Exception):
        block()


def block_again() -> None:
    while True:
        with suppress(Exception):
            block()


def use_an_alarm() -> None:
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.alarm(60)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    block()


def interrupt() -> None:
    raise KeyboardInterrupt


def forget() -> None:
    forgotten.append(asyncio.create_task(asyncio.sleep(60)))
    raise KeyboardInterrupt


def rest() -> None:
    loops.append(asyncio.get_running_loop())


BLOCKING = [
    block,
    block_later,
    block_in_a_child,
    select,
    use_a_default,
    block_again,
    use_an_alarm,
]
ACTS = {act.__name__: act for act in [*BLOCKING, interrupt, forget, rest]}


async def act(how: str) -> str:
    if pending := ACTS[how]():
        await pending
    return how


loops = list[asyncio.AbstractEventLoop]()
forgotten = list["asyncio.Task[None]"]()


def split(words: list[str]) -> list[str]:
    return words


def aggregate(words: list[str]) -> list[str]:
    return words


acts = FanOut("Acts", split=split, execute=act, aggregate=aggregate, policy=ONE_ATTEMPT)


@pytest.fixture(autouse=True)
def event_loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the event loops that a process on AWS Lambda keeps."""
    made, new = list[asyncio.AbstractEventLoop](), asyncio.new_event_loop

    def kept() -> asyncio.AbstractEventLoop:
        made.append(new())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", kept)
    yield
    asyncio.set_event_loop(None)
    for loop in made:
        loop.close()


@pytest.fixture
def handler() -> LambdaHandler:
    return parallelizework.aws_lambda.handler(acts)


def test_the_services_are_discovered_as_request_and_response(
    handler: LambdaHandler,
) -> None:
    response = handler(event("/discover", accept=MANIFEST), Context())

    manifest = json.loads(body(response))
    assert manifest["protocolMode"] == "REQUEST_RESPONSE"
    assert "Acts" in {service["name"] for service in manifest["services"]}


def test_the_sdk_offers_no_asgi_application_on_aws_lambda(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, `_asgi_app` may no longer be needed."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "mine")

    with pytest.raises(TypeError):
        restate.app([])({}, None, None)


def test_an_unsigned_request_is_refused() -> None:
    coder = Executor("Coder", execute=act)
    handler = parallelizework.aws_lambda.handler(coder, identity_keys=[KEY])

    assert handler(event("/discover", accept=MANIFEST), Context())["statusCode"] == 401


OF_A_LOAD_BALANCER = {
    "path": "/invoke/Acts/act",
    "httpMethod": "POST",
    "headers": {"host": "example.com"},
    "body": "{}",
    "isBase64Encoded": False,
}
OF_A_GATEWAY = OF_A_LOAD_BALANCER | {"headers": None, "isBase64Encoded": True}
BINARY = OF_A_LOAD_BALANCER | {"isBase64Encoded": True, "requestContext": "elb"}


@pytest.mark.parametrize(
    "unknown",
    [{"key1": "value1"}, [], "text", None, OF_A_LOAD_BALANCER, OF_A_GATEWAY, BINARY],
)
def test_an_event_of_somebody_else_is_refused(
    handler: LambdaHandler, unknown: object
) -> None:
    response = handler(unknown, Context())

    assert response["statusCode"] == 400
    assert "register the ARN" in response["body"]


def test_nothing_to_serve_is_an_error() -> None:
    with pytest.raises(StartError, match="nothing to serve"):
        parallelizework.aws_lambda.handler()


def test_the_first_attempt_is_no_step(handler: LambdaHandler) -> None:
    response = handler(call("Acts/runSubtask", "rest"), Context())

    assert kinds(body(response)) == [OUTPUT, END]
    assert b'"rest"' in body(response)


def test_all_invocations_share_an_event_loop(handler: LambdaHandler) -> None:
    loops.clear()

    for _ in range(2):
        handler(call("Acts/runSubtask", "rest"), Context())

    assert loops[0] is loops[1]


@pytest.mark.parametrize("how", ["interrupt", "forget"])
def test_a_keyboard_interrupt_is_an_error_of_its_call_alone(
    handler: LambdaHandler, how: str
) -> None:
    failed = handler(call("Acts/runSubtask", how), Context())
    next_one = handler(call("Acts/runSubtask", "rest"), Context())

    assert kinds(body(failed)) == [OUTPUT, END]
    assert b"Acts/runSubtask raised KeyboardInterrupt()" in body(failed)
    assert b'"rest"' in body(next_one)
    assert all(task.cancelled() for task in forgotten)


def test_a_timer_of_the_process_continues(handler: LambdaHandler) -> None:
    before, _ = signal.getitimer(signal.ITIMER_REAL)

    handler(call("Acts/runSubtask", "rest"), Context())

    after, _ = signal.getitimer(signal.ITIMER_REAL)
    assert bool(after) == bool(before)
    assert after <= before


@pytest.mark.parametrize("how", [act.__name__ for act in BLOCKING])
def test_an_async_function_that_blocks_is_an_attempt_that_took_too_long(
    handler: LambdaHandler, how: str
) -> None:
    response = handler(call("Acts/runSubtask", how), Context(0.6))

    longer = re.search(rb"an attempt took longer than (0\.\d+) s", body(response))
    assert longer
    assert 0.3 < float(longer[1]) <= 0.4  # 0.2 s are for the answer
    assert b"It blocked its event loop" in body(response)


@pytest.mark.parametrize("how", ["block", "block_later"])
def test_a_batch_of_functions_that_block_ends_in_time(
    handler: LambdaHandler, how: str
) -> None:
    batch = {"slots": 4, "items": [how] * 4}

    response = handler(call("Acts/runBatch", batch), Context(0.6))

    outcomes = json.loads(body(response).partition(b"{")[2].join([b"{", b""])[:-8])
    assert [each["status"] for each in outcomes["failures"]] == ["timed_out"] * 4


def test_handler_code_ends_in_time() -> None:
    async def hang(_ctx: restate.Context, word: str) -> str:
        await asyncio.sleep(60)
        return word

    executor = Executor("Codes", execute=hang, policy=ONE_ATTEMPT)
    handler = parallelizework.aws_lambda.handler(executor)

    response = handler(call("Codes/runSubtask", "hang"), Context(0.6))

    assert b"an attempt took longer than 0." in body(response)
    assert b"s: AWS Lambda would stop the function" in body(response)


def test_a_refused_invocation_is_tried_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "acts")
    monkeypatch.setattr(message_limit, "size", message_limit.size)
    monkeypatch.setattr(message_limit, "carrier", message_limit.carrier)
    monkeypatch.setattr(update_limit, "updates", update_limit.updates)

    on_lambda = parallelizework.aws_lambda.handler(acts)

    response = on_lambda(event("/discover", accept=MANIFEST), Context())
    [service] = [
        each
        for each in json.loads(body(response))["services"]
        if each["name"] == "Acts"
    ]
    policies = {
        each["name"]: (each["retryPolicyMaxInterval"], each["retryPolicyMaxAttempts"])
        for each in service["handlers"]
        if each["name"] in ("run", "runSubtask")
    }
    assert policies == {"run": (5_000, 2**31 - 1), "runSubtask": (5_000, 12 * 1_450)}
