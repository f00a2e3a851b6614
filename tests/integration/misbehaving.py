"""An HTTP server that misbehaves on purpose, and keeps a ledger of what it is asked."""

import asyncio
import gzip
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from .processes import eventually

MIB = 2**20


@dataclass(frozen=True)
class Asked:
    """A request that came."""

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
    """The server: where it is, and what it has been asked."""

    url: str = ""
    inside: Counter[str] = field(default_factory=Counter[str])
    most: Counter[str] = field(default_factory=Counter[str])
    ledger: list[Asked] = field(default_factory=list[Asked])
    quotas: dict[str, tuple[float, float]] = field(
        default_factory=dict[str, tuple[float, float]]
    )
    sent: int = 0
    let_go: bool = False

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def asked(self, target: str) -> list[Asked]:
        """The requests for one target, in order."""
        return [asked for asked in self.ledger if asked.target == target]

    def counts(self) -> Counter[str]:
        return Counter(asked.target for asked in self.ledger)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Take requests from a connection until one of the two ends it."""
        try:
            while asked := await _read(reader):
                self.ledger.append(asked)
                times = len(self.asked(asked.target))
                await MANNERS[asked.path[0]](self, asked, times, writer)
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass  # asyncio would log it
        finally:
            writer.close()


Manner = Callable[[Misbehaving, Asked, int, asyncio.StreamWriter], Awaitable[None]]
MANNERS: dict[str, Manner] = {}


def manner(function: Manner) -> Manner:
    """Behave like that where a path begins with the function's name."""
    name = getattr(function, "__name__")  # noqa: B009 - a callable need not have one
    MANNERS[name.replace("_", "-").strip("-")] = function
    return function


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    line = (await reader.readline()).decode()
    if not line:
        return None
    method, target, _ = line.split(" ")
    headers: dict[str, str] = {}
    while line := (await reader.readline()).decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, body)


def head(status: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def whole(status: int, body: bytes, *headers: str) -> bytes:
    kind = "content-type: text/plain"
    if any(header.startswith("content-type") for header in headers):
        kind = "x-kind: given"
    return head(status, f"content-length: {len(body)}", kind, *headers) + body


JSON = "content-type: application/json; charset=utf-8"


@manner
async def echo(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    told = {"method": asked.method, "target": asked.target, "headers": asked.headers}
    body = json.dumps(told | {"body": asked.body.decode()}).encode()
    writer.write(whole(200, b"" if asked.method == "HEAD" else body, JSON))


@manner
async def status(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    said = json.dumps(asked.headers).encode() + b" " + b"x" * 1_000
    writer.write(whole(int(asked.path[1]), said))


@manner
async def rough(
    _this: Misbehaving, asked: Asked, times: int, writer: asyncio.StreamWriter
) -> None:
    """An error for so many times, then all is well."""
    bad = times <= int(asked.path[1])
    writer.write(whole(int(asked.path[2]) if bad else 200, b"%d" % times))


@manner
async def busy(
    _this: Misbehaving, asked: Asked, times: int, writer: asyncio.StreamWriter
) -> None:
    """Too much to do the first time; come back later, in one way or another."""
    after = asked.query("after")
    date, _, seconds = after.partition("-")
    if date == "date":
        at = datetime.now(UTC) + timedelta(seconds=int(seconds))
        after = format_datetime(at, usegmt=True)
    status = 503 if asked.path[1:] == ["503"] else 429
    writer.write(whole(status if times == 1 else 200, b"", f"retry-after: {after}"))


@manner
async def limited(
    this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """So many requests a second; who comes beyond that is asked to come back."""
    rate, quota = int(asked.path[1]), "/".join(asked.path)
    left, at = this.quotas.get(quota, (rate, asked.at))
    left = min(rate, left + (asked.at - at) * rate)
    this.quotas[quota] = (left - 1 if left >= 1 else left, asked.at)
    is_well = left >= 1
    writer.write(whole(200 if is_well else 429, b"", "retry-after: 1"))


@manner
async def hang(
    _this: Misbehaving, _asked: Asked, _times: int, _writer: asyncio.StreamWriter
) -> None:
    await asyncio.sleep(600)


@manner
async def reset(
    _this: Misbehaving, _asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """A reset in the middle of the body."""
    writer.write(head(200, "content-length: 100") + b"half")
    await writer.drain()
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@manner
async def short(
    _this: Misbehaving, _asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """Fewer bytes than were promised."""
    writer.write(head(200, "content-length: 100") + b"half")
    writer.close()


@manner
async def long(
    _this: Misbehaving, _asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """More bytes than were promised."""
    writer.write(head(200, "content-length: 2", "content-type: text/plain") + b"ok...")


@manner
async def garbage(
    _this: Misbehaving, _asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"220 mail.example.com ESMTP\r\n\r\n")


@manner
async def drip(
    _this: Misbehaving, _asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """A byte now and then, so that no single read takes long."""
    writer.write(head(200, f"content-length: {MIB}"))
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.01)


@manner
async def huge(
    this: Misbehaving, _asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """A gigabyte, in chunks."""
    writer.write(head(200, "transfer-encoding: chunked"))
    for _ in range(1024):
        writer.write(b"%x\r\n" % MIB + bytes(MIB) + b"\r\n")
        await writer.drain()
        this.sent += MIB
    writer.write(b"0\r\n\r\n")


@manner
async def large(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """A text of so many bytes."""
    writer.write(whole(200, b"x" * int(asked.path[1])))


@manner
async def nested(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """JSON that is so many lists deep."""
    levels = int(asked.path[1])
    writer.write(whole(200, b"[" * levels + b"]" * levels, JSON))


@manner
async def foreign(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """A mebibyte that names its charset."""
    body = b"-" + b"a" * (MIB - 1)
    writer.write(whole(200, body, f"content-type: text/plain; charset={asked.path[1]}"))


@manner
async def bomb(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """A little gzip that holds so many mebibytes."""
    body = gzip.compress(bytes(int(asked.path[1]) * MIB))
    writer.write(whole(200, body, "content-encoding: gzip"))


@manner
async def packed(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """Two members of gzip; or broken ones."""
    body = gzip.compress(b'{"packed"') + gzip.compress(b": true}")
    body = {"whole": body, "cut": body[:-9], "none": b"{}"}[asked.path[1]]
    writer.write(whole(200, body, "content-encoding: gzip", JSON))


@manner
async def to(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """A redirect to what is asked for."""
    location = f"location: {asked.query('url')}"
    writer.write(whole(int(asked.path[1]), b"elsewhere", location))


@manner
async def crowd(
    this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """Waits until so many have been there at once, and a moment more for others."""
    place = asked.target
    this.inside[place] += 1
    this.most[place] = max(this.most[place], this.inside[place])
    while this.most[place] < int(asked.path[1]):  # noqa: ASYNC110 - of several of them
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    this.inside[place] -= 1
    writer.write(whole(200, b""))


@manner
async def holding(
    this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """All is well for so many requests; what comes then waits to be let go."""
    while len(this.ledger) > int(asked.path[1]) and not this.let_go:  # noqa: ASYNC110 - by a thread
        await asyncio.sleep(0.01)
    writer.write(whole(200, b"done"))


@manner
async def loop(
    _this: Misbehaving, _asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """A redirect to itself."""
    writer.write(whole(307, b"", "location: /loop"))


@manner
async def body(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """A body as it is asked for."""
    kind = f"content-type: {asked.query('kind')}"
    content = bytes.fromhex(asked.query("hex"))
    writer.write(whole(200, content, kind, "set-cookie: visited=yes"))


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
