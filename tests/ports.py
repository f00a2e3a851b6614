"""Free TCP ports of this machine."""

import socket
from itertools import islice
from random import SystemRandom

_HOST = "127.0.0.1"
# The kernel assigns ports from 32768 to outgoing connections. A port below stays free
# until its program listens, and while its program is down.
_RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a program can listen on the port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Return free ports, chosen at random: several processes may call this at once."""
    ports = SystemRandom().sample(_RANGE, len(_RANGE))
    free = list(islice(filter(is_free, ports), count))
    assert len(free) == count, "too few ports are free"
    return free
