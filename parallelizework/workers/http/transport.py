"""The pooled client of httpx that speaks to checked addresses alone."""

from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import Self, cast

import httpcore
import httpx

from parallelizework.workers.http.connections import Connections
from parallelizework.workers.http.network import CheckedNetwork

_CONNECT = 10.0  # seconds; a server that takes no connection by then will not soon

AGENT = f"parallelizework/{version('parallelizework')}"


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own, over other connections: it does not take them by its front door."""

    def __init__(self, network: CheckedNetwork) -> None:
        tls = httpx.create_ssl_context()  # heeds SSL_CERT_FILE
        super().__init__(verify=tls)
        self._pool = cast("httpcore.AsyncConnectionPool", Connections(network, tls))

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
    )
