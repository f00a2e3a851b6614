"""`Ports`: the ports of a local server and worker."""

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

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
            PortInUse: Ports are in use; the message names all of them.
        """
        with ExitStack() as held:  # all at once, so that all differ
            chosen = {name: _held(held, port) for name, port in vars(self).items()}
        taken = [name for name, port in chosen.items() if port is None]
        if taken:
            raise PortInUse(_in_use({name: vars(self)[name] for name in taken}))
        return replace(self, **chosen)


def url(port: int) -> str:
    """The URL of a port on loopback."""
    return f"http://{HOST}:{port}"


def _held(held: ExitStack, port: int) -> int | None:
    """The port, or a free one for 0, reserved until `held` ends; None if in use."""
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        return None
    return listener.getsockname()[1]


def _in_use(taken: Mapping[str, int]) -> str:
    options = ", ".join(f"--{name}-port" for name in taken)
    if len(taken) == 1:
        [port] = taken.values()
        return (
            f"port {port} is in use: choose another with {options}, or 0 for any free "
            "one"
        )
    ports = ", ".join(map(str, taken.values()))
    return f"ports {ports} are in use: choose others with {options}, or 0 for free ones"
