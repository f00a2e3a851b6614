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

_MAX_ADDRESSES = 4  # of one host that are tried: they share the time to connect


class HostRefused(Exception):
    """A host is not allowed, or its addresses are not allowed."""


async def resolved(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host, the best one first.

    Raises:
        OSError: The host has no address.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(address[0]) for *_, address in found]


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Looks up a host once, and connects only to its allowed addresses.

    A second look-up could return another address than the one that was checked. TLS
    verifies the name of the host as usual.

    Args:
        hosts: The hosts to which connections are allowed.
        resolve: Looks up the addresses of a host.
    """

    def __init__(self, hosts: AllowedHosts, resolve: Resolve) -> None:
        self._hosts = hosts
        self._resolve = resolve
        # The cast is needed because this class is of another type without anyio.
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
            httpcore.ConnectError: No allowed address accepts a connection.
            httpcore.ConnectTimeout: No allowed address answers in time.
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
        raise AssertionError("a host has at least one address")

    async def _allowed(self, host: str, port: int) -> Sequence[Address]:
        if not self._hosts.may_allow(host):
            raise HostRefused(f"{host} is not an allowed host")
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} has no address: {error}") from error
        allowed = [each for each in addresses if self._hosts.allows(host, each)]
        if not allowed:
            shown = ", ".join(map(str, addresses[:_MAX_ADDRESSES]))
            raise HostRefused(f"the addresses of {host} are not allowed: {shown}")
        return allowed[:_MAX_ADDRESSES]
