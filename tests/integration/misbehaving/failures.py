"""Behaviors that fail: an error for a while, or no complete response."""

import asyncio
import socket
import struct
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from .answers import head, whole
from .server import MIB, Exchange, behavior


@behavior
async def rough(this: Exchange) -> None:
    """An error for this number of requests, then success."""
    bad = this.times <= int(this.request.path[1])
    this.writer.write(
        whole(int(this.request.path[2]) if bad else 200, b"%d" % this.times)
    )


@behavior
async def busy(this: Exchange) -> None:
    """An error with `Retry-After` for the first request, in one of several forms."""
    after = this.request.query("after")
    date, _, seconds = after.partition("-")
    if date == "date":
        at = datetime.now(UTC) + timedelta(seconds=int(seconds))
        after = format_datetime(at, usegmt=True)
    status = 503 if this.request.path[1:] == ["503"] else 429
    status = status if this.times == 1 else 200
    this.writer.write(whole(status, b"", f"retry-after: {after}"))


@behavior
async def hang(_this: Exchange) -> None:
    await asyncio.sleep(600)


@behavior
async def reset(this: Exchange) -> None:
    """A reset in the middle of the body."""
    this.writer.write(head(200, "content-length: 100") + b"half")
    await this.writer.drain()
    raw: socket.socket = this.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    this.writer.transport.abort()


@behavior
async def short(this: Exchange) -> None:
    """Fewer bytes than were promised."""
    this.writer.write(head(200, "content-length: 100") + b"half")
    this.writer.close()


@behavior
async def long(this: Exchange) -> None:
    """More bytes than were promised."""
    headers = ("content-length: 2", "content-type: text/plain")
    this.writer.write(head(200, *headers) + b"ok...")


@behavior
async def garbage(this: Exchange) -> None:
    this.writer.write(b"220 mail.example.com ESMTP\r\n\r\n")


@behavior
async def drip(this: Exchange) -> None:
    """One byte at intervals, so that no single read takes long."""
    this.writer.write(head(200, f"content-length: {MIB}"))
    while True:
        this.writer.write(b".")
        await this.writer.drain()
        await asyncio.sleep(0.01)


@behavior
async def huge(this: Exchange) -> None:
    """A gigabyte, in chunks."""
    this.writer.write(head(200, "transfer-encoding: chunked"))
    for _ in range(1024):
        this.writer.write(b"%x\r\n" % MIB + bytes(MIB) + b"\r\n")
        await this.writer.drain()
        this.server.sent += MIB
    this.writer.write(b"0\r\n\r\n")
