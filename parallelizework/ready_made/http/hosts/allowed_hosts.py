"""`AllowedHosts`: the hosts that the worker's operator allows. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_network

from parallelizework.errors import DefinitionError
from parallelizework.ready_made.http.hosts.addresses import (
    Address,
    bare,
    literal,
    reach,
)

Network = IPv4Network | IPv6Network


class AllowedHosts:
    """The hosts that the worker's operator allows, in three forms.

    - A name, such as `api.example.com`, allows the host at public and private
      addresses.
    - A glob, such as `*.example.com` or `*`, allows hosts at public addresses only.
    - An address or a network, such as `127.0.0.1` or `10.0.0.0/8`, allows each host
      with such an address. Only this form allows special addresses, such as
      169.254.169.254.

    Raises:
        DefinitionError: One of them has a scheme, a port or a path.
    """

    def __init__(self, named: Iterable[str]) -> None:
        self._networks: list[Network] = []
        self._names: set[str] = set()
        self._globs: set[str] = set()
        for name in named:
            self._add(name)

    def _add(self, name: str) -> None:
        if network := _network(name):
            self._networks.append(network)
            return
        if not name or set(name) & set("/:@#?"):
            raise DefinitionError(
                f"{name!r} is not a host: use a name (api.example.com), a glob "
                "(*.example.com), an address or a network (10.0.0.0/8)"
            )
        kind = self._globs if set(name) & set("*[") else self._names
        kind.add(normalized(name))

    def __bool__(self) -> bool:
        return bool(self._networks or self._names or self._globs)

    def may_allow(self, host: str) -> bool:
        """Whether a host may be allowed at some address; asked before the look-up."""
        return bool(self._networks) or self.names(host)

    def names(self, host: str) -> bool:
        """Whether a host is allowed by its name, by a glob, or as an address."""
        address = literal(host)
        if address and self._is_within(address):
            return True
        host = normalized(host)
        return host in self._names or any(fnmatchcase(host, g) for g in self._globs)

    def allows(self, host: str, address: Address) -> bool:
        """Whether requests may be sent to a host at an address."""
        if self._is_within(address):
            return True
        match reach(address):
            case "public":
                return self.names(host)
            case "private":
                return normalized(host) in self._names
            case "special":
                return False

    def _is_within(self, address: Address) -> bool:
        address = bare(address)
        return any(address in network for network in self._networks)


def _network(name: str) -> Network | None:
    try:
        return ip_network(name.strip("[]"), strict=False)
    except ValueError:
        return None


def normalized(host: str) -> str:
    """The name of a host, in lower case and without a dot at its end."""
    return host.lower().rstrip(".")
