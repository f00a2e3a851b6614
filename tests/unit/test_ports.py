"""The ports of a local server: chosen, or in use."""

import socket
from contextlib import ExitStack

import pytest

from parallelizework.errors import PortInUse
from parallelizework.local.ports import HOST, Ports


def taken(stack: ExitStack) -> int:
    listener = stack.enter_context(socket.socket())
    listener.bind((HOST, 0))
    listener.listen()
    return listener.getsockname()[1]


def test_zeros_become_ports_that_differ() -> None:
    chosen = vars(Ports(0, 0, 0).chosen())

    assert len(set(chosen.values())) == 4
    assert all(chosen.values())


def test_a_port_in_use_is_named_with_its_option() -> None:
    with ExitStack() as stack:
        admin = taken(stack)

        with pytest.raises(PortInUse) as raised:
            Ports(0, admin, 0).chosen()

    assert str(raised.value) == (
        f"port {admin} is in use: choose another with --admin-port, or 0 for any free "
        "one"
    )


def test_all_ports_in_use_are_named_at_once() -> None:
    with ExitStack() as stack:
        ingress, worker = taken(stack), taken(stack)

        with pytest.raises(PortInUse) as raised:
            Ports(ingress, 0, worker).chosen()

    assert str(raised.value) == (
        f"ports {ingress}, {worker} are in use: choose others with --ingress-port, "
        "--worker-port, or 0 for free ones"
    )
