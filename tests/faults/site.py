"""`Site`: a restate-server and its workers, which can be killed or frozen."""

import os
import subprocess
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from parallelizework.client import Client
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server
from parallelizework.local.worker import serve
from tests.faults.disk import Disk
from tests.faults.ledger import Ledger
from tests.faults.program import Program
from tests.faults.proxy import Proxy, proxy
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
WORKERS = 2
_ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "PARALLELIZEWORK_GRACE_PERIOD": "1",
    # Few calls for each connection: the server opens several, and uses each worker.
    "RESTATE_WORKER__INVOKER__HTTP2_STREAMS_PER_CONNECTION_LIMIT": "32",
    # A fault is injected every few seconds: longer pauses would use most of the time.
    "RESTATE_DEFAULT_RETRY_POLICY__INITIAL_INTERVAL": "100ms",
    "RESTATE_DEFAULT_RETRY_POLICY__MAX_INTERVAL": "1s",
    # The server reserves little memory, so that a full disk soon causes an error.
    "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "64MiB",
}


class Site:
    """A restate-server, two workers, and a proxy between them.

    Args:
        folder: The folder of the logs and the ledger.
        data: The data folder of the server, or a separate disk for the data.
        targets: The fan-outs of the workers.

    Attributes:
        ingress, admin: The URLs of the server.
        http: A client for these URLs, for all threads.
        disk: The separate disk of the data, if any.
    """

    def __init__(  # noqa: PLR0913 - its components
        self,
        *,
        folder: Path,
        data: Path | Disk,
        targets: Sequence[str],
        ports: Ports,
        http: httpx.Client,
        proxy_: Proxy,
        workers: Sequence[int],
        environment: Mapping[str, str],
    ) -> None:
        self.folder = folder
        self.disk = data if isinstance(data, Disk) else None
        data = data.folder if isinstance(data, Disk) else data
        self.ingress = f"http://127.0.0.1:{ports.ingress}"
        self.admin = f"http://127.0.0.1:{ports.admin}"
        self.http = http
        self.proxy = proxy_
        self.ledger_path = folder / "ledger"
        self.ledger = Ledger(self.ledger_path)
        self.server = Program(
            partial(restate_server, find("restate-server"), ports, data, environment)
        )
        self.workers = [
            Program(partial(_worker, targets, port, folder, environment))
            for port in workers
        ]

    @property
    def processes(self) -> frozenset[int]:
        """The process ids of the workers."""
        return frozenset(worker.pid for worker in self.workers)

    def start(self) -> None:
        """Start the server and the workers, and register the workers."""
        self.server.start()
        together(worker.start for worker in self.workers)
        with Client(self.ingress, self.admin) as client:
            client.register(f"http://127.0.0.1:{self.proxy.port}")

    def stop(self) -> None:
        """Stop the workers and the server."""
        together(worker.stop for worker in self.workers)
        self.server.stop()

    def is_well(self) -> bool:
        """Whether the server, the partition and a worker respond."""
        url = f"{self.ingress}/FanOutProgress/no-run/get"
        try:
            answer = self.http.get(url)
        except httpx.TransportError:
            return False
        return "the run no-run is unknown" in answer.text


def together(actions: Iterable[Callable[[], object]]) -> None:
    """Call several functions at once; raise the first error."""
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(action) for action in actions]:
            done.result()


@contextmanager
def site(
    folder: Path,
    targets: Sequence[str],
    *,
    data: Disk | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator[Site, None, None]:
    """Run a site until the block ends.

    Args:
        folder: The folder for the logs and the ledger.
        data: The disk for the server's data; by default they are in `folder`.
        environment: More variables for the server and the workers.
    """
    data_folder = data.folder if data else folder / "data"
    data_folder.mkdir(parents=True, exist_ok=True)
    # The log is outside the data folder, which may be full or deleted at the end.
    (data_folder / "restate-server.log").symlink_to(folder / "restate-server.log")
    ingress, admin, node, *workers = free_ports(3 + WORKERS)
    with proxy(workers) as proxy_, httpx.Client(timeout=5, trust_env=False) as http:
        made = Site(
            folder=folder,
            data=data or data_folder,
            targets=targets,
            ports=Ports(ingress, admin, 0, node),
            http=http,
            proxy_=proxy_,
            workers=workers,
            environment={**os.environ, **_ENVIRONMENT, **(environment or {})},
        )
        try:
            made.start()
            yield made
        finally:
            made.stop()


@contextmanager
def _worker(
    targets: Sequence[str], port: int, folder: Path, environment: Mapping[str, str]
) -> Generator["subprocess.Popen[bytes]", None, None]:
    log = folder / f"worker-{port}.log"
    with (
        log.open("ab") as output,
        serve(targets, port, environment=environment, output=output) as process,
    ):
        yield process
