"""`Tunnel`: the end of outbound connections that Restate Cloud has and we have not.

A worker opens a connection to the tunnel. On this connection the worker is the server:
the tunnel sends it the requests of a restate-server. So both sides are HTTP/2 with the
same streams, and the tunnel copies their events.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)

_START = (":path", "/_/start-tunnel")
_PREFIX = "/deployment"


class Side:
    """One connection of HTTP/2, and to which stream of another one each stream goes."""

    def __init__(self, writer: StreamWriter, *, is_client: bool) -> None:
        config = H2Configuration(client_side=is_client, header_encoding="utf-8")
        self.http = H2Connection(config)
        self.streams: dict[int, tuple[Side, int]] = {}
        self._writer = writer
        self.http.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self._writer.write(self.http.data_to_send())

    async def events(self, reader: StreamReader) -> AsyncIterator[Event]:
        while data := await reader.read(65_536):
            for event in self.http.receive_data(data):
                if isinstance(event, DataReceived):
                    size = event.flow_controlled_length or 0
                    self.http.acknowledge_received_data(size, event.stream_id)
                yield event
            self.flush()

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    def copy(self, event: Event) -> None:
        """Send the other side what its stream has received here."""
        stream = self.streams.get(getattr(event, "stream_id", None) or 0)
        if stream is None:
            return
        other, number = stream
        match event:
            case ResponseReceived(headers=headers):
                other.http.send_headers(number, headers or [])
            case DataReceived(data=data):
                other.http.send_data(number, data or b"")
            case StreamEnded():
                other.http.end_stream(number)
            case StreamReset():
                other.http.reset_stream(number)
            case _:
                pass
        other.flush()


class Tunnel:
    """Accepts the connection of one worker, and forwards requests to the worker.

    Attributes:
        address: Where a worker connects to, as a URL.
        headers: The headers with which the worker has introduced itself.
    """

    def __init__(self) -> None:
        self.address = self._proxy = ""
        self.headers: dict[str, str] = {}
        self._worker: asyncio.Future[Side] = asyncio.Future()
        self._sides: list[Side] = []

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[None]:
        host = "127.0.0.1"
        async with (
            await asyncio.start_server(self._connect, host, 0) as workers,
            await asyncio.start_server(self._forward, host, 0) as servers,
        ):
            self.address = f"http://{host}:{workers.sockets[0].getsockname()[1]}"
            port = servers.sockets[0].getsockname()[1]
            self._proxy = f"http://{host}:{port}{_PREFIX}"
            yield
            for side in self._sides:
                await side.close()

    async def _connect(self, reader: StreamReader, writer: StreamWriter) -> None:
        worker = Side(writer, is_client=True)
        self._sides.append(worker)
        start = [(":method", "GET"), (":scheme", "http"), (":authority", "tunnel")]
        worker.http.send_headers(1, [*start, _START])
        worker.flush()
        async for event in worker.events(reader):
            if isinstance(event, ResponseReceived) and event.stream_id == 1:
                self._accept(worker, event)
            worker.copy(event)

    def _accept(self, worker: Side, event: ResponseReceived) -> None:
        self.headers = {str(key): str(value) for key, value in event.headers or []}
        trailers = [
            ("tunnel-status", "ok"),
            ("tunnel-name", self.headers["tunnel-name"]),
            ("proxy-url", self._proxy),
            ("tunnel-url", self.address),
        ]
        worker.http.send_headers(1, trailers, end_stream=True)
        worker.flush()
        self._worker.set_result(worker)

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        server, worker = Side(writer, is_client=False), await self._worker
        self._sides.append(server)
        async for event in server.events(reader):
            if isinstance(event, RequestReceived):
                self._open(event, server, worker)
            server.copy(event)

    def _open(self, event: RequestReceived, server: Side, worker: Side) -> None:
        own, number = event.stream_id or 0, worker.http.get_next_available_stream_id()
        server.streams[own], worker.streams[number] = (worker, number), (server, own)
        headers = [
            (str(key), str(value).removeprefix(_PREFIX))
            for key, value in event.headers or []
        ]
        worker.http.send_headers(number, headers)
        worker.flush()
