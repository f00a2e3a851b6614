"""Addresses: which are public, which private, and which special. Pure.

The networks are those of IANA's special-purpose registries (RFC 6890 and its updates).
"""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Literal

Address = IPv4Address | IPv6Address
Reach = Literal["public", "private", "special"]


def _networks(named: str) -> list[IPv4Network | IPv6Network]:
    return [ip_network(name) for name in named.split()]


_PRIVATE = _networks(
    "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 ::1/128 fc00::/7"
)
# At these addresses, cloud providers serve the credentials of their machines. Some are
# private addresses, and that of Azure is public. All others are link-local.
_METADATA = _networks(
    "100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 fd00:ec2::254/128"
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Tunnels to an IPv4 address inside the packet, and networks that are not routed.
_UNUSED = _networks("2001::/23 2001:db8::/32 2002::/16 3fff::/20 192.88.99.0/24")
_NAT64 = IPv6Network("64:ff9b::/96")


def reach(address: Address) -> Reach:
    """The kind of network of an address.

    Returns:
        "public" for the internet; "private" for this machine and private networks;
        "special" for all others: link-local, multicast and reserved addresses, and the
        metadata services of cloud providers.
    """
    address = bare(address)
    if any(address in network for network in _METADATA):
        return "special"
    if any(address in network for network in _PRIVATE):
        return "private"
    is_public = address.is_global and not address.is_multicast
    if isinstance(address, IPv6Address):
        is_public = is_public and address in _GLOBAL_UNICAST
    if is_public and not any(address in network for network in _UNUSED):
        return "public"
    return "special"


def bare(address: Address) -> Address:
    """The IPv4 address inside an IPv6 address, if any; otherwise the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def literal(host: str) -> Address | None:
    """The address, if the host is an address; None if the host is a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None
