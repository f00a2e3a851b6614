"""The client of HttpFanOut over TLS: it verifies names, speaks HTTP/2 where offered."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypercorn.asyncio import (
    serve,  # pyright: ignore[reportUnknownVariableType] - half typed
)
from hypercorn.config import Config
from restate import TerminalError

from parallelizework.local.ports import Ports
from parallelizework.ready_made.http import HttpClient, Request
from parallelizework.ready_made.http.hosts.addresses import Address
from parallelizework.settings import HttpSettings

pytestmark = pytest.mark.anyio
NAME = "secure.example"


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for `NAME`, which this process trusts, and its key."""
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    make += ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    subprocess.run([*make, *files], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    return tmp_path


async def versions(scope: Any, _receive: Any, send: Any) -> None:
    """An application that answers with the version of HTTP, and with the connection."""
    if scope["type"] != "http":
        return
    body = f"{scope['http_version']} {scope['client'][1]}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(folder: Path, protocols: list[str]) -> AsyncGenerator[int]:
    """Serve `versions` over TLS until the block ends; the port."""
    config, end = Config(), asyncio.Event()
    port = Ports(0, 0, 0).chosen().worker
    config.bind, config.alpn_protocols = [f"127.0.0.1:{port}"], protocols
    config.certfile, config.keyfile = str(folder / "cert.pem"), str(folder / "key.pem")
    config.errorlog = None
    application: Any = versions
    task = asyncio.create_task(serve(application, config, shutdown_trigger=end.wait))
    try:
        while not task.done():
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.02)
        yield port
    finally:
        end.set()
        await task


async def here(_host: str, _port: int) -> Sequence[Address]:
    return [ip_address("127.0.0.1")]


@pytest.mark.parametrize(
    ("protocols", "version", "most"), [(["h2"], "2", 2), (["http/1.1"], "1.1", 10)]
)
async def test_http_2_is_used_over_few_connections_if_the_host_supports_it(
    certificate: Path, protocols: list[str], version: str, most: int
) -> None:
    client = HttpClient(HttpSettings(allowed_hosts=(NAME,)), here)
    async with serving(certificate, protocols) as port:
        request = Request(url=f"https://{NAME}:{port}/")

        replies = await asyncio.gather(*(client.send(request) for _ in range(10)))
        replies += [await client.send(request)]
        await client.aclose()

    answers = [reply.body.decode().split() for reply in replies]
    assert {spoken for spoken, _ in answers} == {version}
    assert len({connection for _, connection in answers}) <= most


async def test_a_certificate_for_another_name_is_refused_at_once(
    certificate: Path,
) -> None:
    client = HttpClient(HttpSettings(allowed_hosts=("other.example",)), here)
    async with serving(certificate, ["h2"]) as port:
        with pytest.raises(TerminalError) as error:
            await client.send(Request(url=f"https://other.example:{port}/"))
        await client.aclose()

    assert error.value.status_code == 502
    assert "certificate" in error.value.message


async def test_a_certificate_is_verified_without_the_trailing_dot_of_a_host(
    certificate: Path,
) -> None:
    client = HttpClient(HttpSettings(allowed_hosts=(NAME,)), here)
    async with serving(certificate, ["h2"]) as port:
        reply = await client.send(Request(url=f"https://{NAME}.:{port}/"))
        await client.aclose()

    assert reply.status == 200
