"""`Proxy`: a proxy between a restate-server and its workers; can drop connections."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count

from anyio.from_thread import BlockingPortal, start_blocking_portal

_HOST = "127.0.0.1"
_CHUNK = 256 * 1024


class Proxy:
    """Forward TCP connections to several ports in rotation, except ports that refuse.

    Attributes:
        port: The port of the proxy.
    """

    def __init__(self, targets: Sequence[int], portal: BlockingPortal) -> None:
        self.port = 0
        self._targets = targets
        self._portal = portal
        self._turn = count()
        self._open: set[StreamWriter] = set()

    def drop(self) -> int:
        """Close all connections; return their number."""
        return self._portal.call(self._drop)

    def _drop(self) -> int:
        for writer in self._open:
            writer.transport.abort()
        return len(self._open) // 2

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None, None]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._forward, _HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        yield
        server.close()
        self._drop()

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        other = await self._connected()
        writers = {writer, other[1]} if other else {writer}
        self._open |= writers
        try:
            if other:
                ways = (_pump(reader, other[1]), _pump(other[0], writer))
                tasks = list(map(asyncio.create_task, ways))
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open -= writers
            for each in writers:
                each.transport.abort()

    async def _connected(self) -> tuple[StreamReader, StreamWriter] | None:
        for _ in self._targets:
            port = self._targets[next(self._turn) % len(self._targets)]
            with suppress(OSError):
                return await asyncio.open_connection(_HOST, port)
        return None


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()


@contextmanager
def proxy(targets: Sequence[int]) -> Generator[Proxy, None, None]:
    """Run a proxy for these ports until the block ends."""
    with start_blocking_portal() as portal:
        made = Proxy(targets, portal)
        with portal.wrap_async_context_manager(made.listening()):
            yield made
