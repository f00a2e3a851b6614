"""`client_over`: an httpx client that connects to checked addresses only."""

from collections.abc import AsyncIterator, Generator
from contextlib import ExitStack, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version

import httpcore
import httpx

_CONNECT = 10.0  # seconds; a later connection is unlikely

AGENT = f"parallelizework/{version('parallelizework')}"

# httpcore's pool checks all its connections several times for each request. With 64
# requests in flight, several small pools use a tenth of the CPU time of one pool.
_POOLS = 16
_REQUESTS = 8  # in flight in a pool, before the next pool is used
_IDLE = 30.0  # seconds that an idle connection is kept; many servers close it after 60

# The errors of httpcore and of httpx have the same names. A subclass comes before its
# base class.
_ERRORS: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.TimeoutException: httpx.TimeoutException,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.NetworkError: httpx.NetworkError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.ProtocolError: httpx.ProtocolError,
    httpcore.ProxyError: httpx.ProxyError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
}


def client_over(network: httpcore.AsyncNetworkBackend) -> httpx.AsyncClient:
    """A client for one event loop.

    The client uses no proxy: a proxy would connect instead of `network`. It uses no
    netrc and no cookies: they would pass from one run to another. It accepts only the
    encoding gzip, which `body.read` unpacks up to a limit.
    """
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        transport=PooledTransport(network),
        cookies=no_cookies,
        trust_env=False,
        timeout=httpx.Timeout(None, connect=_CONNECT),
        headers={"accept": "*/*", "accept-encoding": "gzip", "user-agent": AGENT},
        event_hooks={"response": [_check_location]},
    )


class PooledTransport(httpx.AsyncBaseTransport):
    """Sends requests over pooled connections that `network` opens.

    It raises the errors of httpx instead of those of httpcore, as httpx's own transport
    does.
    """

    def __init__(self, network: httpcore.AsyncNetworkBackend) -> None:
        tls = httpx.create_ssl_context()  # reads SSL_CERT_FILE
        self._pools = [
            _Pool(
                ssl_context=tls,
                http2=True,
                network_backend=network,
                max_connections=None,  # `HostLimiter` bounds the requests in flight
                max_keepalive_connections=2 * _REQUESTS,
                keepalive_expiry=_IDLE,
            )
            for _ in range(_POOLS)
        ]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request over the first pool that is not busy."""
        free = (pool for pool in self._pools if pool.in_flight < _REQUESTS)
        pool = next(free, self._pools[-1])
        with ExitStack() as stack:
            stack.enter_context(pool.counted())
            with _httpx_errors():
                response = await pool.handle_async_request(_core_request(request))
            return httpx.Response(
                status_code=response.status,
                headers=response.headers,
                stream=_Body(response, stack.pop_all()),
                extensions=response.extensions,  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - half typed
            )

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            await pool.aclose()


class _Pool(httpcore.AsyncConnectionPool):
    """A pool that counts its requests in flight."""

    in_flight = 0

    @contextmanager
    def counted(self) -> Generator[None]:
        """Count a request as in flight while the block runs."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


class _Body(httpx.AsyncByteStream):
    """The body of a response; closing it also closes `at_the_end`."""

    def __init__(self, response: httpcore.Response, at_the_end: ExitStack) -> None:
        self._response = response
        self._at_the_end = at_the_end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        with self._at_the_end:
            await self._response.aclose()


@contextmanager
def _httpx_errors() -> Generator[None]:
    try:
        yield
    except tuple(_ERRORS) as error:
        kind = next(_ERRORS[each] for each in _ERRORS if isinstance(error, each))
        raise kind(str(error)) from error


def _core_request(request: httpx.Request) -> httpcore.Request:
    host, extensions = request.url.raw_host.decode("ascii"), request.extensions
    if host.endswith("."):  # no certificate names a host with a dot at its end
        extensions = {**extensions, "sni_hostname": host.removesuffix(".")}
    return httpcore.Request(
        request.method,
        httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=extensions,
    )


async def _check_location(response: httpx.Response) -> None:
    """Raise `InvalidURL` for an invalid location; httpx raises a network error."""
    if response.has_redirect_location:
        httpx.URL(response.headers["location"])
