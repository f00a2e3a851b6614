"""An invocation that has ended once returns its recorded answer."""

import asyncio
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from restate import TerminalError

import parallelizework
from parallelizework import FanOut, Policy
from parallelizework.attempts.recorded_answer import RecordedAnswer
from parallelizework.attempts.time_left import limit_time

START, INPUT, OUTPUT, END = 0x0000, 0x0400, 0x0401, 0x0003
STEP, CANCELLED = 0x0411, 0xFBFF
VERSION = b"application/vnd.restate.invocation.v6"
executed = list[int]()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def message(kind: int, body: bytes = b"") -> bytes:
    return struct.pack(">HHI", kind, 0, len(body)) + body


def field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def kinds(sent: bytes) -> list[int]:
    """Return the kinds of messages."""
    found, at = list[int](), 0
    while at < len(sent):
        kind, _, size = struct.unpack_from(">HHI", sent, at)
        found.append(kind)
        at += 8 + size
    return found


def value(content: bytes) -> bytes:
    return field(14, field(1, content))


def failure(code: int, text: bytes) -> bytes:
    number = bytes([0x08, code & 0x7F | 0x80, code >> 7])
    entry = field(3, field(1, b"attempts") + field(2, b"1"))
    return field(15, number + field(2, text) + entry)


def journal(*entries: bytes) -> bytes:
    start = b"\x0a\x04\x00\x00\x00\x01\x12\x05inv_1\x18" + bytes([len(entries)])
    return message(START, start) + b"".join(entries)


def split(count: int) -> list[int]:
    return list(range(count))


async def execute(number: int) -> int:
    executed.append(number)
    return number + len(executed)


def total(values: list[int]) -> int:
    return sum(values)


FAN_OUT = FanOut(
    "Test",
    split=split,
    execute=execute,
    aggregate=total,
    policy=Policy(max_items_per_batch=2),
)


async def answered(
    handler: str,
    received: Sequence[bytes],
    *,
    has_more: bool = True,
    is_closed: bool = True,
) -> bytes:
    """Return what a worker sends for a call with these bytes.

    Without more, the caller has sent all of its bytes before the call is executed. A
    caller that has not closed its side may send more at any time.
    """
    sent = list[bytes]()
    has_ended = asyncio.Event()
    events = [
        *({"type": "http.request", "body": b, "more_body": has_more} for b in received),
        {"type": "http.request", "body": b"", "more_body": False},
    ]

    async def receive() -> Mapping[str, Any]:
        if len(events) == 1 and not is_closed:
            await has_ended.wait()
        return events.pop(0) if events else {"type": "http.disconnect"}

    async def send(event: Mapping[str, Any]) -> None:
        sent.append(event.get("body", b""))
        if sent[-1].endswith(message(END)):
            has_ended.set()

    scope = {
        "type": "http",
        "http_version": "2",
        "path": f"/invoke/Test/{handler}",
        "headers": [(b"content-type", VERSION)],
    }
    executed.clear()
    await parallelizework.app(FAN_OUT)(scope, receive, send)
    return b"".join(sent)


SUBTASK = message(INPUT, value(b"7"))
BATCH = message(INPUT, value(b'{"slots": 1, "items": [1, 2]}'))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("handler", "call"), [("runSubtask", SUBTASK), ("runBatch", BATCH)]
)
@pytest.mark.parametrize("size", [1, 7, 1_000])
async def test_a_recorded_value_is_returned(
    handler: str, call: bytes, size: int
) -> None:
    received = journal(call, message(OUTPUT, value(b'"before"')))
    chunks = [received[at : at + size] for at in range(0, len(received), size)]

    sent = await answered(handler, chunks)

    assert sent == message(END)  # the answer is the recorded one
    assert not executed


@pytest.mark.anyio
async def test_a_recorded_error_is_returned() -> None:
    received = journal(SUBTASK, message(OUTPUT, failure(418, b"never")))

    assert await answered("runSubtask", [received]) == message(END)
    assert not executed


@pytest.mark.parametrize("content", [b"", b"7"])
def test_a_value_may_be_empty(content: bytes) -> None:
    collected = RecordedAnswer()

    collected.begin(INPUT)
    collected.begin(CANCELLED)
    assert collected.begin(OUTPUT)
    assert collected.body is not None
    collected.body += value(content)

    assert collected.value() == content


def test_an_error_has_its_code_message_and_metadata() -> None:
    collected = RecordedAnswer()
    collected.begin(INPUT)
    collected.begin(OUTPUT)
    assert collected.body is not None
    collected.body += failure(418, b"never")

    with pytest.raises(TerminalError, match="never") as raised:
        collected.value()

    assert raised.value.status_code == 418
    assert raised.value.metadata == {"attempts": "1"}


def test_an_answer_after_a_step_is_left_to_the_replay() -> None:
    collected = RecordedAnswer()

    collected.begin(INPUT)
    collected.begin(0x0411)
    assert not collected.begin(OUTPUT)

    assert collected.value() is None


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("handler", "call", "values"),
    [("runSubtask", SUBTASK, [7]), ("runBatch", BATCH, [1, 2])],
)
async def test_a_caller_that_sends_all_at_once_has_the_answer_at_once(
    handler: str, call: bytes, values: list[int]
) -> None:
    limit_time(60, "the process would stop")

    sent = await answered(handler, [journal(call)], has_more=False)

    assert executed == values
    assert kinds(sent) == [OUTPUT, END]


@pytest.mark.anyio
async def test_without_a_limit_of_time_such_a_caller_has_a_step() -> None:
    sent = await answered("runSubtask", [journal(SUBTASK)], has_more=False)

    assert kinds(sent)[0] == STEP
    assert END not in kinds(sent)


@pytest.mark.anyio
async def test_a_subtask_that_was_cancelled_before_is_not_executed() -> None:
    limit_time(60, "the process would stop")
    signal = message(CANCELLED, b"\x10\x01" + field(4, b""))  # 1 is a cancellation

    sent = await answered("runSubtask", [journal(SUBTASK, signal)], has_more=False)

    assert executed == []
    assert kinds(sent) == [STEP, OUTPUT, END]
    assert b"cancelled" in sent


@pytest.mark.anyio
async def test_a_cancellation_that_arrives_meanwhile_makes_no_step() -> None:
    """A step would lose its value: the SDK raises the cancellation instead."""
    signal = message(CANCELLED, b"\x10\x01" + field(4, b""))

    sent = await answered("runSubtask", [journal(SUBTASK), signal], is_closed=False)

    assert kinds(sent) == [OUTPUT, END]
    assert (b"cancelled" in sent) == (executed == [])
