"""A pytest plugin: fixtures with a real restate-server, and workers for your fan-outs.

Add the plugin to the `conftest.py` at the root of your tests:

    pytest_plugins = ["parallelizework.testing.plugin"]

The plugin finds or installs the server in the same way as `parallelizework dev`. The
plugin needs no Docker. The server starts when the first test requests a fixture.
"""

from collections.abc import Iterator

import pytest

from parallelizework.local.ports import Ports
from parallelizework.local.server import LocalServer, local_server
from parallelizework.testing.workers import Serve


@pytest.fixture(scope="session")
def restate_server() -> Iterator[LocalServer]:
    """A restate-server for the whole test session, on free ports of 127.0.0.1.

    Yields:
        The server. `ingress` and `admin` are its URLs.
    """
    with local_server(ports=Ports(0, 0, 0).chosen()) as server:
        yield server


@pytest.fixture(scope="session")
def serve(restate_server: LocalServer) -> Iterator[Serve]:
    """A function that serves fan-outs in worker processes, and returns a `Client`.

    Yields:
        A `Serve`, for the whole test session.

    Examples:
        ```python
        def test_lengths(serve: Serve) -> None:
            client = serve(lengths)
            assert client.run(lengths, "three small words")["words"] == 3
        ```
    """
    serving = Serve(restate_server)
    try:
        yield serving
    finally:
        serving.close()
