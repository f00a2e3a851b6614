"""An HTTP server that misbehaves on purpose, and keeps a ledger of its requests."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from ..processes import eventually

MIB = 2**20


@dataclass(frozen=True)
class ReceivedRequest:
    """A request that the server received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> list[str]:
        return urlsplit(self.target).path.strip("/").split("/")

    def query(self, name: str) -> str:
        return parse_qs(urlsplit(self.target).query)[name][0]


@dataclass
class Misbehaving:
    """The server: its URL, and the requests that it has received."""

    url: str = ""
    inside: Counter[str] = field(default_factory=Counter[str])
    most: Counter[str] = field(default_factory=Counter[str])
    ledger: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])
    quotas: dict[str, tuple[float, float]] = field(
        default_factory=dict[str, tuple[float, float]]
    )
    sent: int = 0
    let_go: bool = False

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def requests_for(self, target: str) -> list[ReceivedRequest]:
        """The requests for one target, in order."""
        return [request for request in self.ledger if request.target == target]

    def counts(self) -> Counter[str]:
        return Counter(request.target for request in self.ledger)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of a connection until either side closes it."""
        try:
            while request := await _read(reader):
                self.ledger.append(request)
                times = len(self.requests_for(request.target))
                await BEHAVIORS[request.path[0]](Exchange(self, request, times, writer))
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass  # asyncio would log it
        finally:
            writer.close()


@dataclass(frozen=True)
class Exchange:
    """One request, and where to write the answer.

    Attributes:
        times: How often the target has been requested, this time included.
    """

    server: Misbehaving
    request: ReceivedRequest
    times: int
    writer: asyncio.StreamWriter


Behavior = Callable[[Exchange], Awaitable[None]]


BEHAVIORS: dict[str, Behavior] = {}


def behavior(function: Behavior) -> Behavior:
    """Register a behavior for the paths that begin with the function's name."""
    name = getattr(function, "__name__")  # noqa: B009 - a callable need not have one
    BEHAVIORS[name.replace("_", "-").strip("-")] = function
    return function


async def _read(reader: asyncio.StreamReader) -> ReceivedRequest | None:
    line = (await reader.readline()).decode()
    if not line:
        return None
    method, target, _ = line.split(" ")
    headers: dict[str, str] = {}
    while line := (await reader.readline()).decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return ReceivedRequest(method, target, headers, body)


@contextmanager
def misbehaving() -> Generator[Misbehaving, None, None]:
    """Run the server on a free port of loopback until the block ends."""
    this, loop = Misbehaving(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=[_run(this, loop)])
    thread.start()
    try:
        eventually(lambda: bool(this.url))
        yield this
    finally:
        loop.call_soon_threadsafe(_stop, loop)
        thread.join()
        loop.close()


async def _run(this: Misbehaving, loop: asyncio.AbstractEventLoop) -> None:
    server = await asyncio.start_server(this.serve, "127.0.0.1", 0)
    this.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        await server.serve_forever()
    except asyncio.CancelledError:
        rest = asyncio.all_tasks(loop) - {asyncio.current_task()}
        await asyncio.gather(*rest, return_exceptions=True)


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
