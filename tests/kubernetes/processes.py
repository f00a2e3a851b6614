"""Run the containers of the manifests as processes on this machine.

The command, the arguments and the variables are those of the manifests. Only ports and
names differ: each port becomes a free one, and the name of a Service becomes loopback.
"""

import json
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from parallelizework.local.binaries import find
from parallelizework.local.ports import HOST, Ports
from parallelizework.local.server import restate_server
from tests.integration.processes import Running, running

from .kubectl import ROOT
from .manifests import Container

_ENTRYPOINT = re.compile(r"^ENTRYPOINT (\[.*\])$", re.MULTILINE)


class Here:
    """The ports of this machine for those of the manifests.

    Args:
        worker: The port of the worker's Service; 0 means any free port.
        beside: Where the server is, if this is a worker beside another one.
    """

    def __init__(self, worker: int = 0, beside: "Here | None" = None) -> None:
        chosen = Ports(0, 0, 0).chosen()
        ports = replace(beside.ports, worker=chosen.worker) if beside else chosen
        self.ports: Ports = replace(ports, worker=worker or ports.worker)

    def port(self, port: int) -> int:
        """The port of this machine for a port of a container."""
        known = {8080: self.ports.ingress, 9070: self.ports.admin}
        return {**known, 9080: self.ports.worker}[port]

    def text(self, text: str) -> str:
        """An argument or a value with addresses of this machine: `http://worker:9080`."""
        return re.sub(
            r"[\w.-]+:(?P<port>\d{4})$",
            lambda found: f"{HOST}:{self.port(int(found['port']))}",
            text,
        )

    def url(self, port: int, path: str = "") -> str:
        """The URL of a port of a container."""
        return f"http://{HOST}:{self.port(port)}{path}"

    @contextmanager
    def container(
        self, container: Container, changed: Mapping[str, str] | None = None
    ) -> Generator[Running, None, None]:
        """Run a container of our image until the block ends."""
        variables = {**container.environment, **(changed or {})}
        environment = {name: self.text(value) for name, value in variables.items()}
        arguments = map(self.text, container.arguments)
        with running(*arguments, environment=environment) as process:
            yield process

    @contextmanager
    def server(self, container: Container, folder: Path) -> Generator[None, None, None]:
        """Run the container of restate-server until the block ends."""
        given = container.environment
        # The folder is the volume of the container.
        assert given.pop("RESTATE_BASE_DIR") in volumes(container)
        program = find("restate-server")
        with restate_server(program, self.ports, folder, os.environ, given):
            yield


def volumes(container: Container) -> set[str]:
    """Where a container has volumes."""
    return {mount["mountPath"] for mount in container.fields["volumeMounts"]}


def entrypoint() -> list[str]:
    """The command of our image, before the arguments of a container."""
    found = _ENTRYPOINT.search((ROOT / "Dockerfile").read_text())
    assert found
    return json.loads(found[1])
