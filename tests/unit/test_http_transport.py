"""The transport of HttpFanOut, by the public interfaces of httpx and httpcore."""

from typing import Any

import httpcore
import httpx
import pytest

from parallelizework.ready_made.http.sending.transport import PooledTransport

pytestmark = pytest.mark.anyio
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAMES = [
    name
    for name, each in vars(httpcore).items()
    if isinstance(each, type) and issubclass(each, Exception)
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Network(httpcore.AsyncMockBackend):
    """Connections to a server that sends some bytes, and the hosts of them."""

    def __init__(self, sent: list[bytes], error: Exception | None = None) -> None:
        super().__init__(sent)
        self.hosts: list[str] = []
        self._error = error

    async def connect_tcp(self, host: str, *rest: Any, **more: Any) -> Any:
        self.hosts.append(host)
        if self._error:
            raise self._error
        return await super().connect_tcp(host, *rest, **more)


async def body(transport: httpx.AsyncBaseTransport) -> bytes:
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        return (await client.get("http://a.example/")).content


async def test_all_connections_are_opened_by_the_given_network() -> None:
    network = Network([OK])

    assert await body(PooledTransport(network)) == b"ok"
    assert network.hosts == ["a.example"]


async def test_a_connection_is_used_again_after_each_response() -> None:
    network = Network([OK] * 100)
    transport = PooledTransport(network)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        replies = [await client.get("http://a.example/") for _ in range(100)]

    assert {reply.status_code for reply in replies} == {200}
    assert network.hosts == ["a.example"]


@pytest.mark.parametrize("name", sorted({*NAMES} - {"ConnectionNotAvailable"}))
async def test_an_error_of_httpcore_is_raised_as_the_error_of_httpx(name: str) -> None:
    error = getattr(httpcore, name)("why")

    with pytest.raises(httpx.TransportError, match="why") as raised:
        await body(PooledTransport(Network([], error)))

    assert type(raised.value) is getattr(httpx, name)
    assert raised.value.__cause__ is error


async def test_an_error_while_the_body_is_read_is_one_of_httpx_too() -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await body(PooledTransport(Network([OK[:-1], b""])))


async def test_any_other_error_of_the_network_is_raised_as_it_is() -> None:
    with pytest.raises(PermissionError):
        await body(PooledTransport(Network([], PermissionError())))
