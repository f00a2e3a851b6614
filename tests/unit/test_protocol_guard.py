"""The requests that a worker accepts and refuses."""

import struct
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from restate.server_context import DisconnectedException

from parallelizework.serving.protocol_guard import (
    Event,
    Messages,
    ProtocolGuard,
    Receive,
    Scope,
    Send,
)


def message(kind: int, size: int) -> bytes:
    return struct.pack(">HHI", kind, 0, size) + bytes(size)


CALL = message(0, 5) + message(0x400, 30) + message(0x8001, 0)


@given(st.lists(st.integers(0, len(CALL))))
def test_messages_may_come_in_any_pieces(cuts: list[int]) -> None:
    messages = Messages(max_message=30, max_call=len(CALL))
    ends = sorted([0, *cuts, len(CALL)])

    taken = [messages.read(CALL[a:b]) for a, b in pairwise(ends)]

    assert all(taken)
    assert messages.begun
    assert messages.size == len(CALL)


@pytest.mark.parametrize(
    "body",
    [
        message(1, 5),
        message(0, 0),
        message(0, 5) * 2,
        message(0, 5) + message(1, 31)[:8],
        message(0, 5) + message(1, 20) * 3,
        b"{" * 8,
    ],
)
def test_bytes_that_no_restate_server_sends_are_invalid_at_once(body: bytes) -> None:
    messages = Messages(max_message=30, max_call=60)

    taken = [messages.read(bytes([byte])) for byte in body]

    assert taken[-1] is False


async def talk(app: ProtocolGuard, bodies: Iterable[bytes]) -> list[Event]:
    """Return the response of the guard to a request that never ends."""
    events: list[Event] = []
    coming = iter(bodies)

    async def receive() -> Event:
        body = next(coming)
        return {"type": "http.request", "body": body, "more_body": True}

    async def send(event: Event) -> None:
        events.append(event)

    await app({"type": "http"}, receive, send)
    return events


async def sdk(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with 200 at once, as the SDK does, and then read the whole body."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while (await receive())["type"] == "http.request":
        pass


async def test_a_request_that_is_no_call_is_answered_with_400() -> None:
    start, body = await talk(ProtocolGuard(sdk), [b'{"description": "a"}'])

    assert start["status"] == 400
    assert b"no" in body["body"]


async def test_a_call_that_breaks_the_protocol_after_its_start_is_cut_off() -> None:
    events = await talk(
        ProtocolGuard(sdk, max_call=100), [message(0, 5), *[message(1, 20)] * 9]
    )

    assert [event.get("status") for event in events] == [200]


async def test_the_lifespan_events_of_a_server_are_answered() -> None:
    coming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    events: list[Event] = []

    async def receive() -> Event:
        return next(coming)

    async def send(event: Event) -> None:
        events.append(event)

    await ProtocolGuard(sdk)({"type": "lifespan"}, receive, send)

    assert [event["type"] for event in events] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_an_answer_that_cannot_be_sent_is_reported_as_a_lost_connection() -> None:
    async def receive() -> Event:
        return {"type": "http.request", "body": message(0, 5), "more_body": True}

    async def send(event: Event) -> None:
        raise KeyError(7)  # hypercorn, of a stream that is gone

    async def answers(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.body", "body": b"x"})

    with pytest.raises(DisconnectedException):
        await ProtocolGuard(answers)({"type": "http"}, receive, send)
