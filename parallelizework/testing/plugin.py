"""A pytest plugin: a real restate-server, and worker processes for your fan-outs.

Name it in the `conftest.py` at the root of your tests:

    pytest_plugins = ["parallelizework.testing.plugin"]

The server is found or installed as by `parallelizework dev`; it needs no Docker. It is
started when the first test asks for it.
"""

from collections.abc import Iterator

import pytest

from parallelizework.local.ports import Ports
from parallelizework.local.server import LocalServer, local_server
from parallelizework.testing.workers import Serve


@pytest.fixture(scope="session")
def restate_server() -> Iterator[LocalServer]:
    """A restate-server for the session, on free ports of loopback."""
    with local_server(ports=Ports(0, 0, 0).chosen()) as server:
        yield server


@pytest.fixture(scope="session")
def serve(restate_server: LocalServer) -> Iterator[Serve]:
    """Serve fan-outs of the test module: `client = serve(lengths)`."""
    serving = Serve(restate_server)
    try:
        yield serving
    finally:
        serving.close()
