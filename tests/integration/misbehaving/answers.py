"""Behaviors with a complete response, as the client requested it."""

import gzip
import json
from http import HTTPStatus

from .server import MIB, Exchange, manner

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
async def echo(this: Exchange) -> None:
    asked = this.asked
    request = {"method": asked.method, "target": asked.target, "headers": asked.headers}
    body = json.dumps(request | {"body": asked.body.decode()}).encode()
    this.writer.write(whole(200, b"" if asked.method == "HEAD" else body, JSON))


@manner
async def status(this: Exchange) -> None:
    said = json.dumps(this.asked.headers).encode() + b" " + b"x" * 1_000
    this.writer.write(whole(int(this.asked.path[1]), said))


@manner
async def large(this: Exchange) -> None:
    """A text with this number of bytes."""
    this.writer.write(whole(200, b"x" * int(this.asked.path[1])))


@manner
async def nested(this: Exchange) -> None:
    """JSON with this number of nested lists."""
    levels = int(this.asked.path[1])
    this.writer.write(whole(200, b"[" * levels + b"]" * levels, JSON))


@manner
async def foreign(this: Exchange) -> None:
    """A mebibyte that names its charset."""
    body = b"-" + b"a" * (MIB - 1)
    kind = f"content-type: text/plain; charset={this.asked.path[1]}"
    this.writer.write(whole(200, body, kind))


@manner
async def bomb(this: Exchange) -> None:
    """A small gzip body that unpacks to this number of mebibytes."""
    body = gzip.compress(bytes(int(this.asked.path[1]) * MIB))
    this.writer.write(whole(200, body, "content-encoding: gzip"))


@manner
async def packed(this: Exchange) -> None:
    """Two members of gzip; or broken ones."""
    body = gzip.compress(b'{"packed"') + gzip.compress(b": true}")
    body = {"whole": body, "cut": body[:-9], "none": b"{}"}[this.asked.path[1]]
    this.writer.write(whole(200, body, "content-encoding: gzip", JSON))


@manner
async def to(this: Exchange) -> None:
    """A redirect to what is asked for."""
    location = f"location: {this.asked.query('url')}"
    this.writer.write(whole(int(this.asked.path[1]), b"elsewhere", location))


@manner
async def loop(this: Exchange) -> None:
    """A redirect to itself."""
    this.writer.write(whole(307, b"", "location: /loop"))


@manner
async def body(this: Exchange) -> None:
    """A body as it is asked for."""
    kind = f"content-type: {this.asked.query('kind')}"
    content = bytes.fromhex(this.asked.query("hex"))
    this.writer.write(whole(200, content, kind, "set-cookie: visited=yes"))
