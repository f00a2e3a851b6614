"""The definition of a webhook, and the requests that its functions receive."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

import pytest
from restate import Context, TerminalError

import parallelizework
from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.errors import DefinitionError
from parallelizework.events import Reply, Webhook, WebhookEvent, WebhookRequest
from parallelizework.events.webhooks.receiver import Receiver

T = TypeVar("T")


def accept(_request: WebhookRequest) -> None: ...


def ignore(_request: WebhookRequest) -> WebhookEvent | None:
    return None


def test_a_worker_with_a_webhook_serves_the_mailbox_too() -> None:
    webhook = Webhook("Shop", verify=None, event=ignore)

    assert [each.name for each in webhook.services] == ["Shop", "FanOutMailbox"]
    assert [each.name for each in parallelizework.services(webhook)] == [
        "Shop",
        "FanOutMailbox",
    ]


def test_two_webhooks_need_one_mailbox() -> None:
    shop = Webhook("Shop", verify=None, event=ignore)
    bank = Webhook("Bank", verify=accept, event=ignore)

    names = [each.name for each in parallelizework.services(shop, bank)]

    assert names == ["Shop", "Bank", "FanOutMailbox"]


class Requested:
    """The context of a request, and nothing else."""

    headers: Mapping[str, str] = {}

    def request(self) -> Any:
        return self

    async def run_typed(
        self, _name: str, action: Callable[[], Awaitable[T]], _options: object
    ) -> T:
        return await action()


def wrong_type(_body: bytes) -> None: ...


def handler_code(_ctx: Context, _request: WebhookRequest) -> None: ...


async def async_handler_code(_ctx: Context, _request: WebhookRequest) -> None: ...


def two_values(_request: WebhookRequest, _more: str) -> None: ...


def no_hint(_request):  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType] - the test
    ...


WRONG: list[Callable[..., Any]] = [
    wrong_type,
    async_handler_code,
    handler_code,
    two_values,
    no_hint,
]


@pytest.mark.parametrize("function", WRONG)
@pytest.mark.parametrize("role", ["verify", "event"])
def test_a_function_that_does_not_fit_is_an_error_at_once(
    role: str, function: Callable[..., Any]
) -> None:
    functions: dict[str, Any] = {"verify": accept, "event": ignore, role: function}

    with pytest.raises(DefinitionError, match=f"^{role} of Shop"):
        Webhook("Shop", **functions)


def says_no(_request: WebhookRequest) -> bool:
    return False


async def says_no_later(_request: WebhookRequest) -> bool:
    return False


@pytest.mark.parametrize("verify", [says_no, says_no_later])
def test_verify_must_refuse_by_an_error(verify: Any) -> None:
    with pytest.raises(DefinitionError, match="must return None: raise ValueError"):
        Webhook("Shop", verify=verify, event=ignore)


def returns_false(_request: WebhookRequest) -> None:
    return False  # pyright: ignore[reportReturnType] - on purpose


async def returns_false_later(_request: WebhookRequest) -> None:
    return False  # pyright: ignore[reportReturnType] - on purpose


@pytest.mark.parametrize("verify", [returns_false, returns_false_later])
def test_verify_refuses_by_false_too(verify: Any) -> None:
    threads = Threads(1)
    receiver = Receiver(
        "Shop",
        Function("verify", verify, threads),
        Function("event", ignore, threads),
    )
    ctx = Requested()

    with pytest.raises(TerminalError, match="refused: the request is not valid") as no:
        asyncio.run(receiver.receive(cast("Context", ctx), b""))

    assert no.value.status_code == 400


def test_verify_cannot_be_forgotten() -> None:
    without: Any = Webhook

    with pytest.raises(TypeError, match="verify"):
        without("Shop", event=ignore)


def test_a_webhook_has_the_name_of_a_service() -> None:
    with pytest.raises(DefinitionError, match="not a valid name"):
        Webhook("My shop", verify=None, event=ignore)


def test_headers_are_read_in_any_case() -> None:
    headers = WebhookRequest(headers={"X-Event": "paid"}).headers

    assert headers["x-event"] == headers["X-EVENT"] == "paid"
    assert "X-eVent" in headers
    assert headers.get("other") is None
    assert dict(headers) == {"x-event": "paid"}


def test_a_request_does_not_show_its_secrets() -> None:
    request = WebhookRequest(b"card=4242", {"Authorization": "Basic abc"})

    shown = repr(request)

    assert "4242" not in shown
    assert "abc" not in shown


def test_json_forms_and_queries_are_read() -> None:
    assert WebhookRequest(b'{"a": [1]}').json() == {"a": [1]}
    assert WebhookRequest(b"a=1&b=%C3%A9&c=&a=2").form() == {
        "a": "2",
        "b": "é",
        "c": "",
    }
    challenge = WebhookRequest(query_string="hub.challenge=4%202&hub.mode=x")
    assert challenge.query == {"hub.challenge": "4 2", "hub.mode": "x"}
    assert WebhookRequest().query == {}
    assert WebhookRequest("é".encode()).text == "é"


BAD: dict[str, Callable[[], object]] = {
    "json": lambda: WebhookRequest(b"{").json(),
    "nan": lambda: WebhookRequest(b"NaN").json(),
    "deep": lambda: WebhookRequest(b"[" * 100_000).json(),
    "json in bytes": lambda: WebhookRequest(b"\xff").json(),
    "bytes": lambda: WebhookRequest(b"\xff").text,
    "form in bytes": lambda: WebhookRequest(b"a=\xff").form(),
    "long form": lambda: WebhookRequest(b"a&" * 2_000).form(),
    "long query": lambda: WebhookRequest(query_string="a&" * 2_000).query,
}


@pytest.mark.parametrize("read", BAD.values(), ids=BAD)
def test_a_bad_body_is_a_value_error(read: Callable[[], object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any message
        read()


@pytest.mark.parametrize("key", ["", "a" * 513, 7, None])
def test_the_key_of_an_event_is_a_short_text(key: Any) -> None:
    with pytest.raises(ValueError, match="the key of an event is"):
        WebhookEvent(key=key)


def test_the_id_of_an_event_is_a_text() -> None:
    event: Any = WebhookEvent

    with pytest.raises(ValueError, match="the id of an event is 7: use a text"):
        event(key="a", id=7)


def test_a_reply_is_bytes_or_text() -> None:
    assert Reply("é").content == "é".encode()
    assert Reply(b"\xff").content == b"\xff"
