"""Defects of hypercorn and hyperframe, and the behavior with the fixes.

Each test runs with upstream's protocol too, and expects the fault there: it fails once
upstream has the fix. Then delete ours.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import hypercorn.protocol
import pytest
from h2.connection import H2Connection
from h2.events import Event, ResponseReceived, StreamEnded, StreamReset
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import ConnectionState
from hyperframe.frame import DataFrame, Frame

from parallelizework.serving import hypercorn_fixes as fixes
from parallelizework.serving.hypercorn_fixes.frames import LargeFrames, log_no_frames
from parallelizework.serving.hypercorn_fixes.full_queue import (
    FreeQueueOfHttp1,
    FreeQueueOfHttp2,
)
from parallelizework.serving.hypercorn_fixes.h2c_upgrade import NoUpgrade
from parallelizework.serving.hypercorn_fixes.idle_connection import EndIdle
from parallelizework.serving.hypercorn_fixes.joint_writes import JoinWrites
from parallelizework.serving.hypercorn_fixes.late_data import DropLateData
from parallelizework.serving.hypercorn_fixes.lost_connection import EndSending
from parallelizework.serving.hypercorn_fixes.paused_reading import EndPause
from parallelizework.serving.hypercorn_fixes.round_robin import SendRoundRobin
from parallelizework.serving.hypercorn_fixes.unexpected_error import CloseOnError
from parallelizework.serving.hypercorn_fixes.unfinished_answer import ResetUnfinished

pytestmark = pytest.mark.anyio

Kind = type[H2Protocol] | type[H11Protocol]
App = Callable[..., Coroutine[Any, Any, None]]
START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
GET = [
    (":method", "GET"),
    (":path", "/"),
    (":scheme", "http"),
    (":authority", "localhost"),
]


class IdleH2(EndIdle, H2Protocol): ...


class IdleH11(EndIdle, H11Protocol): ...


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def compare(upstream: Kind, *fixed: Kind) -> pytest.MarkDecorator:
    kinds = [(upstream, False), *((kind, True) for kind in fixed)]
    names = [kind.__name__ for kind, _ in kinds]
    return pytest.mark.parametrize(("kind", "is_fixed"), kinds, ids=names)


class Connection:
    """Both sides of a connection in memory."""

    def __init__(self, protocol: Any, sent: list[object]) -> None:
        self.protocol = protocol
        self.sent = sent  # by the server
        self.client = H2Connection()
        self.client.initiate_connection()

    async def receive(self, event: object) -> "asyncio.Task[None]":
        """Have the server handle an event, as far as it gets."""
        task = asyncio.create_task(self.protocol.handle(event))
        await everything()
        return task

    async def flush(self) -> "asyncio.Task[None]":
        """Have the server handle what the client of HTTP/2 has to send."""
        return await self.receive(RawData(self.client.data_to_send()))

    def writes(self) -> list[list[Event]]:
        """Return the events that the HTTP/2 client receives, by write."""
        datas = [event.data for event in self.sent if isinstance(event, RawData)]
        self.sent.clear()
        return [self.client.receive_data(data) for data in datas]

    def events(self) -> list[Event]:
        return [event for events in self.writes() for event in events]


async def everything() -> None:
    """Wait until all tasks have ended or wait."""
    for _ in range(200):
        await asyncio.sleep(0)


@asynccontextmanager
async def connected(
    kind: Kind, app: App, config: Config | None = None
) -> AsyncGenerator[Connection]:
    sent: list[object] = []

    async def send(event: object) -> None:
        sent.append(event)

    before = asyncio.all_tasks()
    async with TaskGroup(asyncio.get_running_loop()) as group:
        protocol = kind(
            cast(Any, app),
            config or Config(),
            WorkerContext(None),
            group,
            ConnectionState({}),
            False,
            None,
            None,
            send,
        )
        await protocol.initiate()
        yield Connection(protocol, sent)
        while tasks := asyncio.all_tasks() - before:  # they may wait again at their end
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0)


async def answers(_scope: Any, _receive: Any, send: Any, *_: Any) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b"answer"})


async def stops_halfway(_scope: Any, _receive: Any, send: Any, *_: Any) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b"ans", "more_body": True})


def has(kind: type[Event], events: Iterable[Event]) -> bool:
    return any(isinstance(event, kind) for event in events)


@compare(H2Protocol, DropLateData, fixes.FixedH2Protocol)
async def test_data_for_a_stream_that_has_ended_does_not_end_the_connection(
    kind: Kind, is_fixed: bool
) -> None:
    async with connected(kind, answers) as connection:
        connection.client.send_headers(1, GET)
        await connection.flush()
        assert has(StreamEnded, connection.events())

        connection.client.send_data(1, b"late")
        handled = await connection.flush()

        assert (handled.exception() is None) == is_fixed


async def test_endless_data_for_a_stream_that_has_ended_is_reset() -> None:
    async with connected(DropLateData, answers) as connection:
        connection.client.send_headers(1, GET)
        await connection.flush()
        received = list[Event]()

        for _ in range(100):
            if not has(StreamReset, received):
                connection.client.send_data(1, bytes(16_000))
                await connection.flush()
                received += connection.events()

        assert has(StreamReset, received)


@compare(H2Protocol, ResetUnfinished, fixes.FixedH2Protocol)
async def test_an_answer_that_is_not_finished_is_reset(
    kind: Kind, is_fixed: bool
) -> None:
    async with connected(kind, stops_halfway) as connection:
        connection.client.send_headers(1, GET, end_stream=True)
        await connection.flush()

        assert has(StreamReset, connection.events()) == is_fixed


@compare(H2Protocol, FreeQueueOfHttp2, fixes.FixedH2Protocol)
async def test_an_app_of_http2_that_ends_with_a_full_queue_blocks_nobody(
    kind: Kind, is_fixed: bool
) -> None:
    may_end = asyncio.Event()
    async with connected(kind, waits_for(may_end), with_queue_of(2)) as connection:
        connection.client.send_headers(1, GET)
        for _ in range(3):
            connection.client.send_data(1, b"x")
        handled = await connection.flush()
        assert not handled.done()

        may_end.set()
        await everything()

        assert handled.done() == is_fixed


@compare(H11Protocol, FreeQueueOfHttp1, fixes.FixedH11Protocol)
async def test_an_app_of_http1_that_ends_with_a_full_queue_blocks_nobody(
    kind: Kind, is_fixed: bool
) -> None:
    may_end = asyncio.Event()
    head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    async with connected(kind, waits_for(may_end), with_queue_of(2)) as connection:
        await connection.receive(RawData(head + b"1\r\nx\r\n"))
        await connection.receive(RawData(b"1\r\nx\r\n"))
        handled = await connection.receive(RawData(b"1\r\nx\r\n"))
        assert not handled.done()

        may_end.set()
        await everything()

        assert handled.done() == is_fixed


def waits_for(may_end: asyncio.Event) -> App:
    async def app(scope: Any, receive: Any, send: Any, *_: Any) -> None:
        await may_end.wait()
        await answers(scope, receive, send)

    return app


def with_queue_of(size: int) -> Config:
    config = Config()
    config.max_app_queue_size = size
    return config


@compare(H2Protocol, EndSending, fixes.FixedH2Protocol)
async def test_an_app_that_sends_ends_when_the_connection_is_lost(
    kind: Kind, is_fixed: bool
) -> None:
    sent = list[int]()

    async def sends(_scope: Any, _receive: Any, send: Any, *_: Any) -> None:
        await send(START)
        for size in (200_000, 200_000):
            await send({"type": "http.response.body", "body": bytes(size)})
            sent.append(size)

    async with connected(kind, sends) as connection:
        connection.client.send_headers(1, GET, end_stream=True)
        await connection.flush()
        assert not sent  # more than the client's window

        await connection.receive(Closed())

        assert bool(sent) == is_fixed


@compare(H2Protocol, EndSending, fixes.FixedH2Protocol)
async def test_an_app_that_ends_its_answer_ends_when_the_server_has_stopped_sending(
    kind: Kind, is_fixed: bool
) -> None:
    stop, ended = asyncio.Event(), list[bool]()

    async def ends(_scope: Any, _receive: Any, send: Any, *_: Any) -> None:
        await send(START)
        await stop.wait()
        await send({"type": "http.response.body"})
        ended.append(True)

    async with connected(kind, ends) as connection:
        connection.client.send_headers(1, GET, end_stream=True)
        await connection.flush()
        [sending] = [t for t in asyncio.all_tasks() if "send_task" in str(t.get_coro())]

        sending.cancel()
        await everything()
        stop.set()
        await everything()

        assert bool(ended) == is_fixed


@compare(H2Protocol, CloseOnError, fixes.FixedH2Protocol)
async def test_an_error_that_hypercorn_does_not_expect_closes_the_connection(
    kind: Kind, is_fixed: bool
) -> None:
    async with connected(kind, answers) as connection:
        path = (":path", b"/\xff")
        connection.client.send_headers(1, [*GET[:1], path, *GET[2:]], end_stream=True)
        handled = await connection.flush()

        assert (handled.exception() is None) == is_fixed
        assert any(isinstance(e, Closed) for e in connection.sent) == is_fixed


@pytest.mark.parametrize(
    ("kind", "is_fixed"),
    [
        (H2Protocol, False),
        (IdleH2, True),
        (fixes.FixedH2Protocol, True),
        (H11Protocol, False),
        (IdleH11, True),
        (fixes.FixedH11Protocol, True),
    ],
)
async def test_a_connection_that_is_closed_is_not_idle(
    kind: Kind, is_fixed: bool
) -> None:
    async with connected(kind, answers) as connection:
        await connection.receive(Closed())

        updates = [event for event in connection.sent if isinstance(event, Updated)]
        assert (updates == [Updated(idle=False)]) == is_fixed


@pytest.mark.parametrize("kind", [fixes.FixedH2Protocol, fixes.FixedH11Protocol])
async def test_a_connection_that_the_server_closes_at_its_end_ends_its_idle_task_itself(
    kind: Kind,
) -> None:
    async with connected(kind, answers) as connection:
        await connection.protocol.context.terminated.set()
        await connection.receive(Closed())

        assert not [event for event in connection.sent if isinstance(event, Updated)]


@compare(H11Protocol, EndPause, fixes.FixedH11Protocol)
async def test_a_request_that_follows_an_unfinished_answer_is_not_waited_for(
    kind: Kind, is_fixed: bool
) -> None:
    async with connected(kind, stops_halfway) as connection:
        handled = await connection.receive(
            RawData(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 2)
        )

        assert handled.done() == is_fixed


@compare(H11Protocol, NoUpgrade, fixes.FixedH11Protocol)
async def test_a_request_for_an_upgrade_is_ignored(kind: Kind, is_fixed: bool) -> None:
    wish = (
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
        b"http2-settings: !\r\n\r\n"
    )
    async with connected(kind, answers) as connection:
        handled = await connection.receive(RawData(wish))

        assert (handled.exception() is None) == is_fixed


@compare(H2Protocol, LargeFrames, fixes.FixedH2Protocol)
async def test_a_client_may_send_large_frames(kind: Kind, is_fixed: bool) -> None:
    async with connected(kind, answers) as connection:
        await connection.flush()
        connection.events()
        connection.client.send_headers(1, GET)

        assert (connection.client.max_outbound_frame_size > 2**14) == is_fixed
        window = connection.client.local_flow_control_window(1)
        assert (window > 2**16) == is_fixed


@compare(H2Protocol, JoinWrites, fixes.FixedH2Protocol)
async def test_answers_that_are_ready_at_once_are_sent_in_one_write(
    kind: Kind, is_fixed: bool
) -> None:
    async with connected(kind, answers) as connection:
        for number in range(8):
            connection.client.send_headers(2 * number + 1, GET, end_stream=True)
        await connection.flush()

        starts = [w for w in connection.writes() if has(ResponseReceived, w)]
        assert (len(starts) == 1) == is_fixed


@compare(H2Protocol, SendRoundRobin, fixes.FixedH2Protocol)
async def test_a_connection_may_have_more_than_1000_streams(
    kind: Kind, is_fixed: bool
) -> None:
    config = Config()
    config.h2_max_concurrent_streams = 2_000
    async with connected(kind, waits_for(asyncio.Event()), config) as connection:
        await connection.flush()
        connection.events()
        for number in range(1_001):
            connection.client.send_headers(2 * number + 1, GET, end_stream=True)
        handled = await connection.flush()

        is_served = handled.exception() is None and Closed() not in connection.sent
        assert is_served == is_fixed


def test_the_text_of_a_frame_does_not_contain_its_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = DataFrame(1, b"a secret")
    written = repr(frame)

    monkeypatch.setattr(Frame, "__repr__", Frame.__repr__)  # put back at the end
    log_no_frames()

    assert b"a secret".hex() in written
    assert b"a secret".hex() not in repr(frame)


@pytest.fixture
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, kind in (("H2Protocol", H2Protocol), ("H11Protocol", H11Protocol)):
        monkeypatch.setattr(hypercorn.protocol, name, kind)
    monkeypatch.setattr(Frame, "__repr__", Frame.__repr__)


@pytest.mark.usefixtures("_restored")
def test_hypercorn_serves_with_the_fixes_once_they_are_applied() -> None:
    fixes.apply()

    assert hypercorn.protocol.H2Protocol is fixes.FixedH2Protocol  # pyright: ignore[reportPrivateImportUsage] - where it is looked up
    assert hypercorn.protocol.H11Protocol is fixes.FixedH11Protocol  # pyright: ignore[reportPrivateImportUsage] - where it is looked up


@pytest.mark.usefixtures("_restored")
def test_an_unknown_version_causes_one_warning_and_is_not_patched(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fixes, "version", lambda _name: "0.19.0")  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType] - any name

    with caplog.at_level(logging.WARNING):
        fixes.apply()

    assert hypercorn.protocol.H2Protocol is H2Protocol  # pyright: ignore[reportPrivateImportUsage] - where it is looked up
    [record] = caplog.records
    assert "0.19.0" in record.getMessage()
