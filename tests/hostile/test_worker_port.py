"""An attacker on the port of the worker can break only his own connection."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count, islice, repeat
from pathlib import Path

import httpx
import pytest

from tests.integration.processes import LONG, eventually

from . import frames as f
from .conftest import Victim

MIB = 2**20
BLOCK = bytes(64 * 1024)
MOST = 150  # MiB that one attack may use


async def response_to(port: int, chunks: Iterable[bytes], *, leave: bool) -> bytes:
    """Return all bytes from the worker until either side closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = asyncio.create_task(reader.read())
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            if received.done():
                break
        if leave:
            writer.write_eof()
        return await asyncio.wait_for(received, LONG)
    except ConnectionError:
        return b""
    finally:
        received.cancel()
        writer.close()


def attack(victim: Victim, chunks: Iterable[bytes], *, leave: bool = False) -> bytes:
    before = victim.memory()
    received = asyncio.run(response_to(victim.port, chunks, leave=leave))
    assert victim.memory("VmHWM") < before + MOST
    return received


def settings(*pairs: tuple[int, int]) -> bytes:
    body = b"".join(n.to_bytes(2, "big") + v.to_bytes(4, "big") for n, v in pairs)
    return f.frame(f.SETTINGS, 0, 0, body)


def unfinished(stream: int, body: bytes = b"") -> bytes:
    return f.frame(f.HEADERS, 0, stream, body or f.headers())


# A table of 4,000 bytes, then references to it: 64 bytes of names and values a byte.
BOMB = b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4_000 + b"\xbe" * 60_000
BROKEN: dict[str, Callable[[], Iterable[bytes]]] = {
    "a preface that goes wrong": lambda: [f.PREFACE[:18] + b"XX\r\n\r\n" * 9],
    "no settings": lambda: [f.PREFACE, f.frame(f.DATA, 0, 0)],
    "settings that are cut": lambda: [f.PREFACE, f.frame(f.SETTINGS, 0, 0, b"12345")],
    "settings of a stream": lambda: [f.opening(), f.frame(f.SETTINGS, 0, 1)],
    "a window that is too large": lambda: [f.opening(), settings((4, 2**32 - 1))],
    "a frame that is too small": lambda: [f.opening(), settings((5, 1))],
    "data of nothing": lambda: [f.opening(), f.frame(f.DATA, 0, 0, b"x")],
    "data of no request": lambda: [f.opening(), f.frame(f.DATA, 0, 7, b"x")],
    "an even stream": lambda: [f.opening(), f.request(2)],
    "a stream that goes back": lambda: [f.opening(), f.request(9), f.request(7)],
    "padding beyond the end": lambda: [
        f.opening(),
        f.request(1),
        f.frame(f.DATA, f.PADDED, 1, b"\xff"),
    ],
    "a promise": lambda: [f.opening(), f.frame(f.PUSH, 4, 1, b"\0\0\0\2")],
    "a short ping": lambda: [f.opening(), f.frame(f.PING, 0, 0, b"1")],
    "no more window": lambda: [f.opening(), f.frame(f.WINDOW, 0, 0, bytes(4))],
    "far too much window": lambda: [
        f.opening(),
        *repeat(f.frame(f.WINDOW, 0, 0, b"\x7f\xff\xff\xff"), 3),
    ],
    "a continuation of nothing": lambda: [f.opening(), f.frame(f.CONTINUATION, 4, 1)],
    "headers that are interrupted": lambda: [
        f.opening(),
        unfinished(1),
        f.frame(f.PING, 0, 0, bytes(8)),
    ],
    "headers without an end": lambda: [
        f.opening(),
        unfinished(1),
        *repeat(f.frame(f.CONTINUATION, 0, 1, BLOCK[:16_000]), 200),
    ],
    "headers that are noise": lambda: [
        f.opening(),
        f.frame(f.HEADERS, f.END_HEADERS, 1, b"\xff" * 100),
    ],
    "a bomb of headers": lambda: [
        f.opening(),
        f.frame(f.HEADERS, f.END_HEADERS, 1, f.headers() + BOMB),
    ],
    "no path": lambda: [
        f.opening(),
        f.frame(f.HEADERS, f.END_HEADERS, 1, b"\x83\x86"),
    ],
    "a path of other letters": lambda: [
        f.opening(),
        f.frame(f.HEADERS, f.END_HEADERS, 1, f.headers("/\xff")),
    ],
    "a stream that waits for itself": lambda: [
        f.opening(),
        f.frame(f.PRIORITY, 0, 1, b"\0\0\0\1\0"),
    ],
    "a huge frame": lambda: [
        f.opening(),
        f.frame(f.DATA, 0, 1, length=2**24 - 1),
        *repeat(BLOCK, 300),
    ],
    "noise": lambda: [f.noise(1, MIB)],
    "noise after the preface": lambda: [f.opening(), f.noise(2, 2**25)],
    "a line without an end": lambda: repeat(b"G" * 1_000, 1_000),
    "headers of HTTP/1 without an end": lambda: [
        b"GET / HTTP/1.1\r\n",
        *repeat(b"a: b\r\n", 10_000),
    ],
    "two lengths": lambda: [
        b"POST /invoke/FanOutWorker/run HTTP/1.1\r\nhost: a\r\n"
        b"content-length: 1\r\ncontent-length: 2\r\n\r\n"
    ],
    "a negative length": lambda: [
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n"
    ],
    "a chunk that is none": lambda: [
        b"POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
    ],
    "a null byte": lambda: [b"GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n"],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_client_that_breaks_the_protocol_is_disconnected(
    victim: Victim, name: str
) -> None:
    attack(victim, BROKEN[name]())


def numbered(make: Callable[[int], bytes], times: int) -> Iterator[bytes]:
    yield f.opening()
    for number in range(times):
        yield make(2 * number + 1)


FLOODS: dict[str, Callable[[], Iterable[bytes]]] = {
    "requests taken back": lambda: numbered(
        lambda n: f.request(n) + f.frame(f.RST, 0, n, bytes(4)), 1_500
    ),
    "requests without bodies": lambda: numbered(f.request, 3_000),
    "priorities": lambda: numbered(
        lambda n: f.frame(f.PRIORITY, 0, n, b"\0\0\0\0\1"), 20_000
    ),
    "pings": lambda: numbered(lambda _: f.frame(f.PING, 0, 0, bytes(8)), 50_000),
    "settings": lambda: numbered(lambda n: settings((1, n)), 20_000),
    "a table of 4 GiB": lambda: [f.opening(), settings((1, 2**32 - 1)), f.request(1)],
    "empty data": lambda: [
        f.opening(),
        f.request(1),
        *f.data_frames(1, repeat(b"", 50_000)),
    ],
    "questions whose answers find no window": lambda: [
        f.opening() + settings((4, 0)),
        *(f.request(2 * n + 1, "/discover", 5) for n in range(3_000)),
    ],
    "an upgrade with noise": lambda: [
        b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
        b"http2-settings: !\r\n\r\n"
    ],
    "requests over HTTP/1": lambda: repeat(
        b"POST /health HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n12345" * 9, 200
    ),
    "a request in a request": lambda: [
        b"POST /invoke/FanOutWorker/run HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n"
        b"transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /discover HTTP/1.1\r\n\r\n"
    ],
    "a socket of another kind": lambda: [
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\n"
        b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ],
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_costs_little_memory(victim: Victim, name: str) -> None:
    attack(victim, FLOODS[name](), leave=True)


def test_many_idle_connections_do_not_stop_the_worker(victim: Victim) -> None:
    async def crowd() -> None:
        idle = [
            await asyncio.open_connection("127.0.0.1", victim.port) for _ in range(400)
        ]
        try:
            await asyncio.to_thread(victim.assert_unharmed)
        finally:
            for _, writer in idle:
                writer.close()

    asyncio.run(crowd())


def test_a_closed_connection_leaves_no_file_descriptor_open(victim: Victim) -> None:
    files = Path(f"/proc/{victim.pid}/fd")
    before = len(list(files.iterdir()))

    for http2 in (True, False):
        for _ in range(50):
            with httpx.Client(http1=not http2, http2=http2, verify=False) as client:
                client.get(f"{victim.worker}/health").raise_for_status()

    eventually(lambda: len(list(files.iterdir())) < before + 20)


ENDLESS: dict[str, Callable[[], Iterator[bytes]]] = {
    "zeros": lambda: repeat(BLOCK),
    "noise": lambda: (f.noise(n, 2**16) for n in count()),
    "a message of 4 GiB": lambda: iter(
        [f.message(f.START, b"", 2**32 - 1), *repeat(BLOCK, 4_096)]
    ),
    "another message of 4 GiB": lambda: iter(
        [f.start(), f.message(f.INPUT, b"", 2**32 - 1), *repeat(BLOCK, 4_096)]
    ),
    "the first message again and again": lambda: repeat(f.start() * 3_000),
    "messages of no kind": lambda: iter(
        [f.start(), *repeat(f.message(0xFFFF, bytes(1_000)) * 60, 4_096)]
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_body_is_cut_off(victim: Victim, name: str) -> None:
    before, sent = victim.memory(), 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        for block in ENDLESS[name]():
            if sent > 256 * MIB:
                pytest.fail("the worker accepts more than 256 MiB")
            sent += len(block)
            yield block

    kind = {"content-type": f.VERSION, "accept": f.VERSION}
    with httpx.Client(timeout=LONG, verify=False) as client:
        try:
            answer = client.post(victim.worker + f.INVOKE, content=body(), headers=kind)
            assert 400 <= answer.status_code < 500
        except (httpx.RemoteProtocolError, httpx.WriteError, httpx.ReadError):
            pass  # it has closed

    assert victim.memory("VmHWM") < before + MOST


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_stream_is_reset(victim: Victim, name: str) -> None:
    blocks = islice(ENDLESS[name](), 40)  # fewer bytes than the window has
    chunks = chain([f.opening(), f.request(1)], f.data_frames(1, blocks))

    received = attack(victim, chunks, leave=True)

    assert f.ended(received, 1)


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "less than a head": b"\0\0\0",
    "a message that is cut off": f.start()[:-3],
    "no input": f.start(),
    "JSON": b'{"description": "a"}',
    "an input first": f.message(f.INPUT, b""),
    "a first message that is noise": f.message(f.START, f.noise(3)),
    "an input that is noise": f.start() + f.message(f.INPUT, f.noise(4)),
    "two first messages": f.start() * 2,
    "an entry of no kind": f.start(2) + f.message(f.INPUT, b"") + f.message(0xFFF, b""),
}


@pytest.mark.parametrize("http2", [True, False])
@pytest.mark.parametrize("name", BODIES)
def test_an_invalid_body_is_answered_soon(
    victim: Victim, name: str, http2: bool
) -> None:
    kind = {"content-type": f.VERSION, "accept": f.VERSION}
    with httpx.Client(
        http1=not http2, http2=http2, timeout=LONG, verify=False
    ) as client:
        try:
            answer = client.post(
                victim.worker + f.INVOKE, content=BODIES[name], headers=kind
            )
        except httpx.RemoteProtocolError:
            return  # it has closed

    assert answer.status_code in (200, 400)  # 200 has the error as a message


@pytest.mark.parametrize(
    "kind", ["", "application/json", "application/vnd.restate.invocation.v999", "\xff"]
)
@pytest.mark.parametrize("http2", [True, False])
def test_another_protocol_is_refused(victim: Victim, kind: str, http2: bool) -> None:
    with httpx.Client(
        http1=not http2, http2=http2, timeout=LONG, verify=False
    ) as client:
        answer = client.post(
            victim.worker + f.INVOKE,
            content=f.start(),
            headers={b"content-type": kind.encode("latin-1")},
        )

    assert 400 <= answer.status_code < 500
