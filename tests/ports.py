"""Free TCP ports of this machine."""

import os
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
    """Return free ports, chosen at random among those of this process of pytest-xdist.

    A port is free until its program listens. So the processes of one test run must
    not choose from the same ports.
    """
    own = _RANGE[_process_number() :: _process_count()]
    ports = SystemRandom().sample(own, len(own))
    free = list(islice(filter(is_free, ports), count))
    assert len(free) == count, "too few ports are free"
    return free


def _process_number() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _process_count() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
