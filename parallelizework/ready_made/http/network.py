"""`CheckedNetwork`: connects to addresses that have been checked, and to no others."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import cast

import httpcore

from parallelizework.ready_made.http.address import Address
from parallelizework.ready_made.http.hosts import Hosts

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]

_TRIED = 4  # addresses of one host, at most: they share the time there is to connect


class HostRefused(Exception):
    """A host may not be spoken to; the message says why, and what would help."""


async def resolved(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host, best first.

    Raises:
        OSError: It has none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(place[0]) for *_, place in found]


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Looks a host up once, checks what comes back, and connects to just that.

    TLS is spoken above it, to the host's name.

    Args:
        hosts: Whom one may connect to.
        resolve: Looks up the addresses of a host.
    """

    def __init__(self, hosts: Hosts, resolve: Resolve) -> None:
        self._hosts = hosts
        self._resolve = resolve
        # Without anyio it would be a class of another type.
        self._network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first allowed address of the host that takes a connection.

        Raises:
            HostRefused: The host may not be spoken to at any of its addresses.
            httpcore.ConnectError, httpcore.ConnectTimeout: None of them answers.
        """
        addresses = await self._allowed(host, port)
        share = timeout and timeout / len(addresses)
        for place, address in enumerate(addresses, start=1):
            try:
                return await self._network.connect_tcp(
                    str(address), port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == len(addresses):
                    raise
        raise AssertionError("there is an address")

    async def _allowed(self, host: str, port: int) -> Sequence[Address]:
        if not self._hosts.may_be(host):
            raise HostRefused(f"{host} is not among the allowed hosts")
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} has no address: {error}") from error
        allowed = [each for each in addresses if self._hosts.allow(host, each)]
        if not allowed:
            shown = ", ".join(map(str, addresses[:_TRIED]))
            raise HostRefused(
                f"{host} is at {shown}, where the allowed hosts do not reach"
            )
        return allowed[:_TRIED]
