"""`Connections`: those that are open, and which of them takes a request.

httpcore has a pool too, but that looks at all its connections for every request, and
several times: with 64 of them that was three quarters of what a run cost.
"""

import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import chain
from typing import Any

import httpcore
from httpcore import AsyncHTTPConnection as Connection

Key = tuple[bytes, bytes, int]

_KEPT = 256  # idle connections: four hosts with a full window each
_IDLE = 30.0  # seconds they are kept; many servers close them after a minute


class Connections:
    """One for each request over HTTP/1.1, one for all to a host over HTTP/2.

    How many requests are under way is for others to bound.
    """

    def __init__(
        self, network: httpcore.AsyncNetworkBackend, tls: ssl.SSLContext
    ) -> None:
        self._network = network
        self._tls = tls
        self._idle = OrderedDict[Key, list[Connection]]()
        self._shared: dict[Key, Connection] = {}

    async def handle_async_request(
        self, request: httpcore.Request
    ) -> httpcore.Response:
        """Send a request over a connection that is free, or a new one."""
        if request.url.scheme not in (b"http", b"https"):
            raise httpcore.UnsupportedProtocol("neither http nor https")
        origin = request.url.origin
        key = origin.scheme, origin.host, origin.port
        connection = self._sharable(key) or await self._free(key)
        if connection is None:
            connection = self._new(origin)
            if origin.scheme == b"https":  # it may turn out to be for all
                await self._share(key, connection)
        while True:
            try:
                response = await connection.handle_async_request(request)
                return self._given(key, connection, response)
            except httpcore.ConnectionNotAvailable:  # it was for one, or has ended
                self._unshare(key, connection)
                connection = await self._free(key) or self._new(origin)

    async def aclose(self) -> None:
        """Close all that serve no request."""
        for connection in chain(self._shared.values(), *self._idle.values()):
            await connection.aclose()
        self._shared.clear()
        self._idle.clear()

    def _sharable(self, key: Key) -> Connection | None:
        connection = self._shared.get(key)
        return connection if connection and _is_good(connection) else None

    async def _share(self, key: Key, connection: Connection) -> None:
        self._shared[key] = connection
        if len(self._shared) > _KEPT:
            for other, each in list(self._shared.items()):
                if each.is_idle() or each.is_closed():
                    del self._shared[other]
                    await each.aclose()

    def _unshare(self, key: Key, connection: Connection) -> None:
        if self._shared.get(key) is connection:
            del self._shared[key]

    async def _free(self, key: Key) -> Connection | None:
        """The idle one that was used last, as that is the likeliest to be alive."""
        while several := self._idle.get(key):
            connection = several.pop()
            if _is_good(connection):
                return connection
            await connection.aclose()
        self._idle.pop(key, None)
        return None

    def _new(self, origin: httpcore.Origin) -> Connection:
        return Connection(
            origin,
            ssl_context=self._tls,
            keepalive_expiry=_IDLE,
            http2=True,
            network_backend=self._network,
        )

    def _given(
        self, key: Key, connection: Connection, response: httpcore.Response
    ) -> httpcore.Response:
        extensions: dict[str, Any] = dict(response.extensions)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] - half typed
        is_for_all = extensions.get("http_version") == b"HTTP/2"
        if not is_for_all:
            self._unshare(key, connection)

        async def give_back() -> None:
            shared = self._sharable(key)
            if is_for_all and shared is None:
                await self._share(key, connection)
            elif not is_for_all and connection.is_idle():
                await self._keep(key, connection)
            elif shared is not connection and connection.is_idle():
                await connection.aclose()  # one for all is enough

        stream = _Stream(response.stream, give_back)
        return httpcore.Response(
            response.status,
            headers=response.headers,
            content=stream,
            extensions=extensions,
        )

    async def _keep(self, key: Key, connection: Connection) -> None:
        self._idle.setdefault(key, []).append(connection)
        self._idle.move_to_end(key)
        if sum(map(len, self._idle.values())) > _KEPT:
            oldest = next(iter(self._idle))
            await self._idle[oldest].pop(0).aclose()
            if not self._idle[oldest]:
                del self._idle[oldest]


def _is_good(connection: Connection) -> bool:
    return connection.is_available() and not connection.has_expired()


class _Stream:
    """The body of a response, at whose end something else is to be done."""

    def __init__(self, stream: Any, at_the_end: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._at_the_end = at_the_end

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        await self._stream.aclose()
        await self._at_the_end()
