"""Run the containers of the manifests as processes on this machine.

The command, the arguments and the variables are those of the manifests. Only ports and
names differ: each port becomes a free one, and the name of a Service becomes loopback.
"""

import json
import os
import re
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
from pydantic import TypeAdapter

from parallelizework.client import healthy
from parallelizework.local.binaries import find
from parallelizework.local.ports import HOST, Ports
from parallelizework.local.server import restate_server
from tests.integration.fan_outs.concurrency import Span
from tests.integration.processes import LONG, Running, eventually, running

from .kubectl import ROOT
from .manifests import Container

FAN_OUTS = "tests.integration.fan_outs.concurrency"
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


def is_healthy(here: Here, container: Container) -> bool:
    """Whether all probes of a container succeed."""
    return all(healthy(here.url(*probe)) for probe in container.probes().values())


@contextmanager
def ready(
    here: Here, worker: Container, fan_outs: str = "FanOutWorker"
) -> Generator[Running, None, None]:
    """Run the worker, and wait for its probes."""
    changed = {"PARALLELIZEWORK_FAN_OUTS": fan_outs}
    with here.container(worker, changed) as process:
        eventually(lambda: is_healthy(here, worker) or process.has_ended)
        assert not process.has_ended, process.output
        yield process


def run(here: Here, service: str, task: object) -> object:
    """The result of a run."""
    url = here.url(8080, f"/restate/call/{service}/run")
    return httpx.post(url, json=task, timeout=LONG).raise_for_status().json()


def processes(here: Here, runs: int) -> set[int]:
    """The processes that execute subtasks of some runs at the same time."""
    with ThreadPoolExecutor(runs) as pool:
        futures = [pool.submit(run, here, "Paced", 200) for _ in range(runs)]
    results = [future.result() for future in futures]
    spans = TypeAdapter(list[list[Span]]).validate_python(results)
    return {span.process for result in spans for span in result}
