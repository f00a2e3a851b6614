"""The pooled client of httpx that speaks to checked addresses alone."""

import ssl
from collections.abc import AsyncIterator
from contextlib import ExitStack
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import Any, Self, cast

import httpcore
import httpx

from parallelizework.ready_made.http.network import CheckedNetwork

_CONNECT = 10.0  # seconds; a server that takes no connection by then will not soon

AGENT = f"parallelizework/{version('parallelizework')}"


# httpcore's pool looks at all its connections for each request, several times: some
# small ones take a tenth of the CPU time that one takes with 64 requests under way.
_POOLS = 16
_REQUESTS = 8  # under way in a pool, before the next one is used
_IDLE = 30.0  # seconds that a connection is kept; many servers close it after a minute


class _Pool:
    """A pool that knows how many requests are under way in it."""

    def __init__(self, network: CheckedNetwork, tls: ssl.SSLContext) -> None:
        self.requests = 0
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            http2=True,
            network_backend=network,
            max_connections=None,  # `Places` bounds what is under way
            max_keepalive_connections=2 * _REQUESTS,
            keepalive_expiry=_IDLE,
        )

    async def handle_async_request(
        self, request: httpcore.Request
    ) -> httpcore.Response:
        """Send a request over a connection that is free, or a new one."""
        with ExitStack() as stack:
            self.requests += 1
            stack.callback(self._end)
            response = await self._pool.handle_async_request(request)
            response.stream = _Stream(response.stream, stack.pop_all())
            return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    def _end(self) -> None:
        self.requests -= 1


class _Stream:
    """The body of a response, at whose end something else is to be done."""

    def __init__(self, stream: Any, at_the_end: ExitStack) -> None:
        self._stream = stream
        self._at_the_end = at_the_end

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        with self._at_the_end:
            await self._stream.aclose()


class _Pools:
    """Pools of connections, each of which is used when those before it are busy."""

    def __init__(self, network: CheckedNetwork, tls: ssl.SSLContext) -> None:
        self._pools = [_Pool(network, tls) for _ in range(_POOLS)]

    async def handle_async_request(
        self, request: httpcore.Request
    ) -> httpcore.Response:
        """Send a request by the first pool that is not busy."""
        host = request.url.host.decode("ascii")
        if host.endswith("."):  # which no certificate has; a redirect copies the others
            request.extensions = {
                **request.extensions,  # pyright: ignore[reportUnknownMemberType] - half typed
                "sni_hostname": host.removesuffix("."),
            }
        free = (pool for pool in self._pools if pool.requests < _REQUESTS)
        return await next(free, self._pools[-1]).handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            await pool.aclose()


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own, over other connections: it does not take them by its front door."""

    def __init__(self, network: CheckedNetwork) -> None:
        tls = httpx.create_ssl_context()  # heeds SSL_CERT_FILE
        super().__init__(verify=tls)
        self._pool = cast("httpcore.AsyncConnectionPool", _Pools(network, tls))

    async def __aenter__(self) -> Self:
        """Open nothing: that is done when it is needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all."""
        await self.aclose()


def pooled(network: CheckedNetwork) -> httpx.AsyncClient:
    """A client for one event loop.

    It heeds no proxy, as that would connect in its place; no netrc, and no cookies, as
    they would go from one run into another; and asks for no encoding but gzip, which is
    unpacked with care.
    """
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        transport=_Transport(network),
        cookies=no_cookies,
        trust_env=False,
        timeout=httpx.Timeout(None, connect=_CONNECT),
        headers={"accept": "*/*", "accept-encoding": "gzip", "user-agent": AGENT},
        event_hooks={"response": [_check_location]},
    )


async def _check_location(response: httpx.Response) -> None:
    """Raise `InvalidURL`; httpx takes such a redirect for a fault of the network."""
    if response.has_redirect_location:
        httpx.URL(response.headers["location"])
