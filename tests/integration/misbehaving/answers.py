"""Manners with a whole answer: what the client asked for."""

import asyncio
import gzip
import json
from http import HTTPStatus

from .server import MIB, Asked, Misbehaving, manner

JSON = "content-type: application/json; charset=utf-8"


def head(status: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def whole(status: int, body: bytes, *headers: str) -> bytes:
    kind = "content-type: text/plain"
    if any(header.startswith("content-type") for header in headers):
        kind = "x-kind: given"
    return head(status, f"content-length: {len(body)}", kind, *headers) + body


@manner
async def echo(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    request = {"method": asked.method, "target": asked.target, "headers": asked.headers}
    body = json.dumps(request | {"body": asked.body.decode()}).encode()
    writer.write(whole(200, b"" if asked.method == "HEAD" else body, JSON))


@manner
async def status(
    _this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    said = json.dumps(asked.headers).encode() + b" " + b"x" * 1_000
    writer.write(whole(int(asked.path[1]), said))


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
