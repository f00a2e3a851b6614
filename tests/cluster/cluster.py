"""Three restate-servers that replicate to each other, on loopback, and two workers.

    python -m tests.cluster.cluster [MODULE:OBJECT ...]

runs them until Ctrl-C. Any one of the servers may be lost.
"""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from parallelizework.client import Client
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server
from parallelizework.local.worker import serve
from tests.faults.program import Program

WORKER = Ports.worker
PORTS = [
    Ports(offset + Ports.ingress, offset + Ports.admin, 0, offset + 5122)
    for offset in (0, 20_000, 30_000)
]


class Node(Program):
    """One restate-server of a cluster, which may be killed and started again."""

    def __init__(self, number: int, all_ports: Sequence[Ports], folder: Path) -> None:
        ports, data = all_ports[number], folder / f"node-{number + 1}"
        self.ingress = f"http://127.0.0.1:{ports.ingress}"
        self.admin = f"http://127.0.0.1:{ports.admin}"
        settings = _settings(number, all_ports)
        program = find("restate-server")
        super().__init__(  # ready, which the first alone never is
            partial(restate_server, program, ports, data, os.environ, settings)
        )

    def end(self) -> None:
        """End it, if it runs, without waiting for what it would still do."""
        if self.is_up:
            self.kill()
        self.stop()


@dataclass(frozen=True)
class Cluster:
    """The nodes, and the URL at which they reach the workers."""

    nodes: Sequence[Node]
    worker: str
    services: Sequence[str]


@contextmanager
def cluster(
    fan_outs: Sequence[str] = (),
    all_ports: Sequence[Ports] | None = None,
    worker: int = 0,
) -> Generator[Cluster, None, None]:
    """Run a cluster until the block ends, and forget its data.

    Args:
        fan_outs: What the workers serve.
        all_ports: Where each node listens; by default any free ports.
        worker: The port of the workers.
    """
    all_ports = [ports.chosen() for ports in all_ports or [Ports(0, 0, 0)] * 3]
    worker = worker or all_ports[0].worker
    url = f"http://127.0.0.1:{worker}"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        nodes = [Node(n, all_ports, Path(folder)) for n in range(len(all_ports))]
        stack.callback(_each, nodes, Node.end)
        _each(nodes, Node.start)  # at once, as they wait for each other
        stack.enter_context(serve(fan_outs, worker, workers=2, environment=os.environ))
        with Client(admin=nodes[0].admin) as client:
            services = client.register(url)
        yield Cluster(nodes, url, services)


def _each(nodes: Sequence[Node], do: Callable[[Node], None]) -> None:
    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(do, nodes))


def _settings(number: int, all_ports: Sequence[Ports]) -> dict[str, str]:
    """Return the settings of a node."""
    addresses = [f"http://127.0.0.1:{ports.node}" for ports in all_ports]
    roles = ["http-ingress", "admin", "worker", "log-server", "metadata-server"]
    return {
        "RESTATE_CLUSTER_NAME": "parallelizework",
        "RESTATE_NODE_NAME": f"node-{number + 1}",
        "RESTATE_FORCE_NODE_ID": str(number + 1),
        "RESTATE_ROLES": json.dumps(roles),
        "RESTATE_AUTO_PROVISION": json.dumps(number == 0),
        "RESTATE_ADVERTISED_ADDRESS": addresses[number],
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_METADATA_CLIENT__ADDRESSES": json.dumps(addresses),
        "RESTATE_BIFROST__DEFAULT_PROVIDER": "replicated",
        "RESTATE_DEFAULT_NUM_PARTITIONS": "8",
        "RESTATE_DEFAULT_REPLICATION": "2",  # any one node may be lost
        "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "512 MiB",
    }


def main(fan_outs: Sequence[str]) -> None:
    """Run a cluster until Ctrl-C, and say where it is."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), cluster(fan_outs, PORTS, WORKER) as running:
        for node in running.nodes:
            print(f"ingress {node.ingress}  admin and UI {node.admin}")
            print(f"  kill -KILL {node.pid}")
        print(f"Services  {', '.join(running.services)}")
        print("Ctrl-C stops servers and workers", flush=True)
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1:])
