"""Behaviors with a complete response, as the client requested it."""

import gzip
import json
from http import HTTPStatus

from .server import MIB, Exchange, behavior

JSON = "content-type: application/json; charset=utf-8"


def head(status: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def whole(status: int, body: bytes, *headers: str) -> bytes:
    kind = "content-type: text/plain"
    if any(header.startswith("content-type") for header in headers):
        kind = "x-kind: given"
    return head(status, f"content-length: {len(body)}", kind, *headers) + body


@behavior
async def echo(this: Exchange) -> None:
    request = this.request
    shown = {
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body": request.body.decode(),
    }
    body = json.dumps(shown).encode()
    this.writer.write(whole(200, b"" if request.method == "HEAD" else body, JSON))


@behavior
async def status(this: Exchange) -> None:
    body = json.dumps(this.request.headers).encode() + b" " + b"x" * 1_000
    this.writer.write(whole(int(this.request.path[1]), body))


@behavior
async def large(this: Exchange) -> None:
    """A text with this number of bytes."""
    this.writer.write(whole(200, b"x" * int(this.request.path[1])))


@behavior
async def nested(this: Exchange) -> None:
    """JSON with this number of nested lists."""
    levels = int(this.request.path[1])
    this.writer.write(whole(200, b"[" * levels + b"]" * levels, JSON))


@behavior
async def foreign(this: Exchange) -> None:
    """A mebibyte that names its charset."""
    body = b"-" + b"a" * (MIB - 1)
    kind = f"content-type: text/plain; charset={this.request.path[1]}"
    this.writer.write(whole(200, body, kind))


@behavior
async def bomb(this: Exchange) -> None:
    """A small gzip body that unpacks to this number of mebibytes."""
    body = gzip.compress(bytes(int(this.request.path[1]) * MIB))
    this.writer.write(whole(200, body, "content-encoding: gzip"))


@behavior
async def packed(this: Exchange) -> None:
    """Two gzip members: valid, cut off, or not gzip."""
    body = gzip.compress(b'{"packed"') + gzip.compress(b": true}")
    body = {"whole": body, "cut": body[:-9], "none": b"{}"}[this.request.path[1]]
    this.writer.write(whole(200, body, "content-encoding: gzip", JSON))


@behavior
async def to(this: Exchange) -> None:
    """A redirect to what is request for."""
    location = f"location: {this.request.query('url')}"
    this.writer.write(whole(int(this.request.path[1]), b"elsewhere", location))


@behavior
async def loop(this: Exchange) -> None:
    """A redirect to itself."""
    this.writer.write(whole(307, b"", "location: /loop"))


@behavior
async def body(this: Exchange) -> None:
    """A body as it is request for."""
    kind = f"content-type: {this.request.query('kind')}"
    content = bytes.fromhex(this.request.query("hex"))
    this.writer.write(whole(200, content, kind, "set-cookie: visited=yes"))
