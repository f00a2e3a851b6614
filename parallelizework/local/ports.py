"""`Ports`: the ports of a local server and worker."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass

from parallelizework.errors import PortInUse

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """The ports of a local server and worker on loopback; 0 means any free port."""

    ingress: int = 8080
    admin: int = 9070
    worker: int = 9080
    node: int = 0

    def chosen(self) -> "Ports":
        """The same ports, with free ones instead of zeros.

        Raises:
            PortInUse: A port is in use; the message names it.
        """
        with ExitStack() as held:  # all at once, so that all differ
            return Ports(
                *(_held(held, name, port) for name, port in vars(self).items())
            )


def url(port: int) -> str:
    """The URL of a port on loopback."""
    return f"http://{HOST}:{port}"


def _held(held: ExitStack, name: str, port: int) -> int:
    """The port, or a free one for 0; it is reserved until all ports are chosen."""
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        raise PortInUse(
            f"port {port} is in use: choose another with --{name}-port, or 0 for "
            "any free one"
        ) from error
    return listener.getsockname()[1]
