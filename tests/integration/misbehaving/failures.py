"""Manners that fail: an error for a while, or no whole answer."""

import asyncio
import socket
import struct
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from .answers import head, whole
from .server import MIB, Asked, Misbehaving, manner


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
