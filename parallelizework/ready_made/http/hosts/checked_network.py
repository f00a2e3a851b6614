"""`CheckedNetwork`: connections to allowed addresses only."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import cast

import httpcore

from parallelizework.ready_made.http.hosts.addresses import Address
from parallelizework.ready_made.http.hosts.allowed_hosts import AllowedHosts

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]

_TRIED = 4  # addresses of one host, at most: they share the time to connect


class HostRefused(Exception):
    """A host is not allowed, or not at its addresses; the message says which."""


async def resolved(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host, best first.

    Raises:
        OSError: It has none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(address[0]) for *_, address in found]


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Looks a host up once, and connects to those of its addresses that are allowed.

    So a name cannot be at an allowed address when it is checked, and at another one
    when it is connected to. TLS verifies the host's name, as anywhere.

    Args:
        hosts: The hosts to which connections are allowed.
        resolve: Looks up the addresses of a host.
    """

    def __init__(self, hosts: AllowedHosts, resolve: Resolve) -> None:
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
        """Connect to the first allowed address that accepts a connection.

        Raises:
            HostRefused: None of the host's addresses is allowed.
            httpcore.ConnectError, httpcore.ConnectTimeout: None of them answers.
        """
        addresses = await self._allowed(host, port)
        share = timeout and timeout / len(addresses)
        for number, address in enumerate(addresses, start=1):
            try:
                return await self._network.connect_tcp(
                    str(address), port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise AssertionError("there is an address")

    async def _allowed(self, host: str, port: int) -> Sequence[Address]:
        if not self._hosts.may_allow(host):
            raise HostRefused(f"{host} is not among the allowed hosts")
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} has no address: {error}") from error
        allowed = [each for each in addresses if self._hosts.allows(host, each)]
        if not allowed:
            shown = ", ".join(map(str, addresses[:_TRIED]))
            raise HostRefused(
                f"{host} is at {shown}, where the allowed hosts do not reach"
            )
        return allowed[:_TRIED]
