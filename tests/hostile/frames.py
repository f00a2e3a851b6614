"""HTTP/2 and Restate's protocol as bytes: right, and wrong in ways of their own."""

import random
import struct
from collections.abc import Iterable, Iterator

from hpack import Encoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = (
    range(10)
)
END_STREAM, END_HEADERS, PADDED, ACK = 0x1, 0x4, 0x8, 0x1
START, INPUT = 0x0000, 0x0400
VERSION = "application/vnd.restate.invocation.v5"
INVOKE = "/invoke/FanOutWorker/run"


def frame(
    kind: int, flags: int, stream: int, body: bytes = b"", length: int | None = None
) -> bytes:
    """An HTTP/2 frame; its length may be a lie."""
    size = len(body) if length is None else length
    head = struct.pack(">IBBI", size, kind, flags, stream)[1:]
    return head + body


def opening() -> bytes:
    """What a client says first."""
    return PREFACE + frame(SETTINGS, 0, 0)


def headers(path: str = INVOKE, method: str = "POST", **more: str) -> bytes:
    """A block of headers, without compression that would depend on what came before."""
    named = {":method": method, ":scheme": "http", ":authority": "a", ":path": path}
    named |= {name.replace("_", "-"): value for name, value in more.items()}
    return Encoder().encode([(n, v) for n, v in named.items()], huffman=False)


def request(stream: int, path: str = INVOKE, flags: int = END_HEADERS) -> bytes:
    """A request of the worker, as restate-server makes it, without its body."""
    block = headers(path, content_type=VERSION, accept=VERSION)
    return frame(HEADERS, flags, stream, block)


def message(kind: int, body: bytes, length: int | None = None) -> bytes:
    """A message of Restate's protocol; its length may be a lie."""
    size = len(body) if length is None else length
    return struct.pack(">HHI", kind, 0, size) + body


def start(entries: int = 1) -> bytes:
    """The message that every invocation begins with: id, name of the id, entries."""
    return message(
        START, b"\x0a\x04\x00\x00\x00\x01\x12\x05inv_1\x18" + bytes([entries])
    )


def datas(stream: int, bodies: Iterable[bytes]) -> Iterator[bytes]:
    """Frames of data without an end."""
    for body in bodies:
        yield frame(DATA, 0, stream, body)


def ended(received: bytes, stream: int) -> bool:
    """Whether received frames end a stream, or all of them."""
    while received:
        size, kind, flags, of = struct.unpack(">IBBI", b"\0" + received[:9])
        received = received[9 + size :]
        last = kind == RST or (kind in (DATA, HEADERS) and flags & END_STREAM)
        if kind == GOAWAY or (of == stream and last):
            return True
    return False


def noise(seed: int, size: int = 4_096) -> bytes:
    return random.Random(seed).randbytes(size)
