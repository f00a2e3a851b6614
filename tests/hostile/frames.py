"""HTTP/2 and the protocol of Restate as bytes: valid and invalid messages."""

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
    """Return an HTTP/2 frame. `length` may be wrong on purpose."""
    size = len(body) if length is None else length
    head = struct.pack(">IBBI", size, kind, flags, stream)[1:]
    return head + body


def opening() -> bytes:
    """Return the first bytes that a client sends."""
    return PREFACE + frame(SETTINGS, 0, 0)


def headers(path: str = INVOKE, method: str = "POST", **more: str) -> bytes:
    """Return a block of headers whose compression does not depend on earlier blocks."""
    named = {":method": method, ":scheme": "http", ":authority": "a", ":path": path}
    named |= {name.replace("_", "-"): value for name, value in more.items()}
    return Encoder().encode([(n, v) for n, v in named.items()], huffman=False)


def request(stream: int, path: str = INVOKE, flags: int = END_HEADERS) -> bytes:
    """Return a request like those of restate-server, without its body."""
    block = headers(path, content_type=VERSION, accept=VERSION)
    return frame(HEADERS, flags, stream, block)


def message(kind: int, body: bytes, length: int | None = None) -> bytes:
    """Return a message of the protocol of Restate. `length` may be wrong on purpose."""
    size = len(body) if length is None else length
    return struct.pack(">HHI", kind, 0, size) + body


def start(entries: int = 1) -> bytes:
    """Return the first message of an invocation: its id and the number of entries."""
    return message(
        START, b"\x0a\x04\x00\x00\x00\x01\x12\x05inv_1\x18" + bytes([entries])
    )


def data_frames(stream: int, bodies: Iterable[bytes]) -> Iterator[bytes]:
    """Yield frames of data that do not end the stream."""
    for body in bodies:
        yield frame(DATA, 0, stream, body)


def ended(received: bytes, stream: int) -> bool:
    """Whether received frames end a stream or the connection."""
    while received:
        size, kind, flags, of = struct.unpack(">IBBI", b"\0" + received[:9])
        received = received[9 + size :]
        last = kind == RST or (kind in (DATA, HEADERS) and flags & END_STREAM)
        if kind == GOAWAY or (of == stream and last):
            return True
    return False


def noise(seed: int, size: int = 4_096) -> bytes:
    return random.Random(seed).randbytes(size)
