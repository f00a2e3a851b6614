"""The client of HttpFanOut connects only to allowed hosts."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from parallelizework.ready_made.http import HttpClient, Request
from parallelizework.ready_made.http.hosts.addresses import Address
from parallelizework.settings import HttpSettings

from ..misbehaving import Misbehaving
from .sending import refused

pytestmark = pytest.mark.anyio


def resolver(*answers: str) -> Any:
    """Look-ups that return these answers in order, and a list of the names."""
    resolved: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[Address]:
        resolved.append(host)
        return [ip_address(answers[len(resolved) - 1])]

    return resolve, resolved


async def test_a_name_is_looked_up_once_and_connected_to_at_the_checked_address(
    target: Misbehaving,
) -> None:
    """A name that is at an allowed address when it is checked, then elsewhere."""
    resolve, resolved = resolver("127.0.0.1", "10.0.0.1")
    settings = HttpSettings(allowed_hosts=("*", "127.0.0.1"))
    client, later = HttpClient(settings, resolve), HttpClient(settings, resolve)
    url = f"http://rebinding.example:{target.port}/echo"

    replies = [await client.send(Request(url=url)) for _ in range(2)]
    await client.aclose()
    code, message = await refused(later, Request(url=url))

    assert [reply.status for reply in replies] == [200, 200]
    assert code == 403
    assert "the addresses of rebinding.example are not allowed: 10.0.0.1" in message
    assert resolved == ["rebinding.example"] * 2


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "fd00:ec2::254",
    ],
)
async def test_a_glob_allows_no_private_address(address: str) -> None:
    resolve, _ = resolver(address)
    client = HttpClient(HttpSettings(allowed_hosts=("*",)), resolve)

    code, message = await refused(client, Request(url="http://somewhere.example/"))

    assert code == 403
    assert f"are not allowed: {ip_address(address)}" in message


async def test_a_host_that_is_not_allowed_is_not_even_looked_up() -> None:
    resolve, resolved = resolver("93.184.215.14")
    client = HttpClient(HttpSettings(allowed_hosts=("*.example.com",)), resolve)

    code, _ = await refused(client, Request(url="http://example.org/"))

    assert (code, resolved) == (403, [])


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
async def test_an_address_in_an_unusual_notation_is_checked_like_any_other(
    host: str,
) -> None:
    client = HttpClient(HttpSettings(allowed_hosts=("*",)))

    code, message = await refused(client, Request(url=f"http://{host}/"))

    assert code == 403
    assert "127.0.0.1" in message
