"""Hosts that HttpFanOut may send requests to, and the kinds of addresses."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallelizework.errors import DefinitionError
from parallelizework.ready_made.http.hosts.addresses import Reach, reach
from parallelizework.ready_made.http.hosts.allowed_hosts import AllowedHosts


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("93.184.215.14", "public"),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "public"),
        ("64:ff9b::5db8:d70e", "public"),  # 93.184.215.14 behind a NAT64
        ("127.0.0.1", "private"),
        ("127.255.255.254", "private"),
        ("10.0.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("::1", "private"),
        ("fd12:3456::1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("64:ff9b::a00:1", "private"),  # 10.0.0.1 behind a NAT64
        ("0.0.0.0", "special"),
        ("::", "special"),
        ("255.255.255.255", "special"),
        ("224.0.0.1", "special"),
        ("240.0.0.1", "special"),
        ("198.18.0.1", "special"),
        ("169.254.169.254", "special"),
        ("::ffff:169.254.169.254", "special"),
        ("100.100.100.200", "special"),
        ("168.63.129.16", "special"),
        ("192.0.0.192", "special"),
        ("fd00:ec2::254", "special"),
        ("fe80::1", "special"),
        ("fe80::1%eth0", "special"),
        ("ff02::1", "special"),
        ("2002:a00:1::", "special"),  # 6to4 to 10.0.0.1
        ("2001:0:a00:1::", "special"),  # Teredo
        ("::10.0.0.1", "special"),
        ("64:ff9b:1::a00:1", "special"),
        ("2001:db8::1", "special"),
        ("3fff::1", "special"),
    ],
)
def test_an_address_is_public_private_or_special(address: str, kind: Reach) -> None:
    assert reach(ip_address(address)) == kind


@given(st.ip_addresses())
def test_an_address_that_is_not_global_for_python_is_not_public(
    address: object,
) -> None:
    found = ip_address(str(address))

    if reach(found) == "public" and not str(found).startswith("64:ff9b::"):
        assert found.is_global
        assert not found.is_multicast


@pytest.mark.parametrize(
    ("named", "host", "address", "is_allowed"),
    [
        ("api.example.com", "API.example.com.", "93.184.215.14", True),
        ("api.example.com", "api.example.com", "10.0.0.1", True),
        ("api.example.com", "api.example.com", "169.254.169.254", False),
        ("api.example.com", "example.com", "93.184.215.14", False),
        ("*.example.com", "api.example.com", "93.184.215.14", True),
        ("*.example.com", "api.example.com", "10.0.0.1", False),
        ("*.example.com", "example.com", "93.184.215.14", False),
        ("*", "anything.at.all", "93.184.215.14", True),
        ("*", "93.184.215.14", "93.184.215.14", True),
        ("*", "localhost", "127.0.0.1", False),
        ("127.*", "127.0.0.1", "127.0.0.1", False),
        ("localhost", "localhost", "::1", True),
        ("10.0.0.0/8", "inside.example", "10.1.2.3", True),
        ("10.0.0.0/8", "inside.example", "11.1.2.3", False),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", "::ffff:127.0.0.1", True),
        ("[::1]", "::1", "::1", True),
        ("169.254.169.254", "metadata", "169.254.169.254", True),
    ],
)
def test_a_host_is_allowed_by_its_name_or_by_its_address(
    named: str, host: str, address: str, is_allowed: bool
) -> None:
    assert AllowedHosts([named]).allows(host, ip_address(address)) is is_allowed


def test_a_host_is_allowed_if_any_entry_allows_it() -> None:
    hosts = AllowedHosts(["*", "10.0.0.0/8"])

    assert hosts.allows("a.example", ip_address("10.0.0.1"))
    assert not hosts.allows("a.example", ip_address("192.168.0.1"))


@pytest.mark.parametrize("named", ["http://a", "a:80", "a/b", "me@a", ""])
def test_an_entry_that_is_no_host_is_refused(named: str) -> None:
    with pytest.raises(DefinitionError, match="is not a host"):
        AllowedHosts([named])


def test_an_empty_list_of_hosts_is_false() -> None:
    assert not AllowedHosts([])
    assert AllowedHosts(["*"])
