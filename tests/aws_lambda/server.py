"""`server_on_lambda`: a restate-server that invokes a function of the stand-in."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from parallelizework.local.ports import Ports
from parallelizework.local.server import LocalServer, local_server

from .stand_in import ARN, HANDLER, StandIn, stand_in


@contextmanager
def server_on_lambda(
    environment: Mapping[str, str],
    folder: Path,
    *,
    handler: str = HANDLER,
    concurrency: int = 6,
    timeout: float = 30,
) -> Generator[tuple[LocalServer, StandIn]]:
    """Run a restate-server and the stand-in until the block ends.

    Args:
        environment: Additional environment variables of the function.
        folder: Where the log of the function is.
        handler: The handler of the function: `MODULE.NAME`.
        concurrency: How many invocations may be executed at once.
        timeout: The timeout of the function, in seconds.
    """
    with (
        stand_in(
            {**os.environ, **environment},
            folder / "function.log",
            handler=handler,
            concurrency=concurrency,
            timeout=timeout,
        ) as function,
        local_server(
            ports=Ports(0, 0, 0).chosen(),
            environment={**os.environ, **function.variables},
        ) as server,
    ):
        request = {"arn": ARN}
        url = f"{server.admin}/deployments"
        httpx.post(url, json=request, timeout=60).raise_for_status()
        yield server, function
