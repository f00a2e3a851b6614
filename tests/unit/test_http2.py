"""hypercorn's HTTP/2, mended."""

import asyncio
from typing import Any, cast

import hypercorn.protocol
import pytest
from h2.connection import H2Connection
from h2.events import Event, ResponseReceived, StreamEnded
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, RawData
from hypercorn.typing import ConnectionState

from parallelizework.serving.hypercorn_fixes import mend

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


REQUEST = [
    (":method", "GET"),
    (":path", "/"),
    (":scheme", "http"),
    (":authority", "localhost"),
]


async def app(_scope: Any, _receive: Any, send: Any, *_: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answer"})


async def answered(streams: int) -> list[list[Event]]:
    """What a client hears that makes so many requests at once, write by write."""
    mend()
    client, heard, done = H2Connection(), list[list[Event]](), asyncio.Event()
    client.initiate_connection()
    for number in range(streams):
        client.send_headers(2 * number + 1, REQUEST, end_stream=True)

    async def send(event: object) -> None:
        if isinstance(event, RawData):
            heard.append(client.receive_data(event.data))
        if sum(isinstance(e, StreamEnded) for es in heard for e in es) == streams:
            done.set()

    async with TaskGroup(asyncio.get_running_loop()) as group:
        protocol = hypercorn.protocol.H2Protocol(  # pyright: ignore[reportPrivateImportUsage] - where it is mended
            cast(Any, app),
            Config(),
            WorkerContext(None),
            group,
            ConnectionState({}),
            False,
            None,
            None,
            send,
        )
        await protocol.initiate()
        await protocol.handle(RawData(client.data_to_send()))
        await done.wait()
        await protocol.handle(Closed())
    return heard


async def test_answers_that_are_ready_at_once_go_out_in_one_write() -> None:
    heard = await answered(streams=8)

    starts = [events for events in heard if _has(ResponseReceived, events)]
    assert len(starts) == 1


def _has(kind: type[Event], events: list[Event]) -> bool:
    return any(isinstance(event, kind) for event in events)
