"""`Serve`: worker processes for the fan-outs of a test; a test may kill them."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from types import ModuleType

from parallelizework.client import Client
from parallelizework.errors import TargetError
from parallelizework.local.ports import Ports
from parallelizework.local.server import LocalServer
from parallelizework.local.worker import serve
from parallelizework.served import Served


class Serve:
    """A callable that starts a worker process for fan-outs, and registers it.

    The worker runs until the end of the test session. A second call with the same
    fan-outs uses the same worker. The worker imports the fan-outs, so each must have a
    name at the top level of a module.

    Args:
        server: The restate-server where the workers are registered.
    """

    def __init__(self, server: LocalServer) -> None:
        self._client = Client(server.ingress, server.admin)
        self._workers: dict[tuple[str, ...], _Worker] = {}
        self._serving: dict[str, _Worker] = {}

    def __call__(self, *fan_outs: Served) -> Client:
        """Serve fan-outs, in addition to those of previous calls.

        Args:
            fan_outs: Fan-outs, executors or Restate services.

        Returns:
            A client of the restate-server.

        Raises:
            TargetError: A fan-out has no name at the top level of a module.
            StartError: The worker process ended early. Its output is in the test's
                output.
        """
        targets = tuple(map(target_of, fan_outs))
        if targets not in self._workers:
            self._workers[targets] = _Worker(targets)
        worker = self._workers[targets]
        worker.start()
        if not worker.names or any(self._serving[n] != worker for n in worker.names):
            # If two workers have the same services, the last registered one serves
            # them. So a worker is registered again, unless it is the last one.
            is_registered = bool(worker.names)
            worker.names = self._client.register(worker.url, force=is_registered)
            self._serving |= dict.fromkeys(worker.names, worker)
        return self._client

    def kill(self) -> None:
        """Kill all worker processes, by SIGKILL. Call `start` to start them again."""
        for worker in self._workers.values():
            worker.kill()

    def start(self) -> None:
        """Start all killed worker processes again, with the same URLs."""
        for worker in self._workers.values():
            worker.start()

    def close(self) -> None:
        """Stop all worker processes, and close the client."""
        self._client.close()
        for worker in self._workers.values():
            worker.stop()


class _Worker:
    """A worker process that can be killed and started again, with the same URL.

    Args:
        targets: What the worker serves: `MODULE:OBJECT` or `FILE.py:OBJECT`.
    """

    def __init__(self, targets: Sequence[str]) -> None:
        self.names: Sequence[str] = ()  # of its services; empty until it is registered
        self._targets = targets
        self._port = Ports(0, 0, 0).chosen().worker
        self._running = ExitStack()
        self._process: Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        if self._process and self._process.poll() is None:
            return
        self.stop()
        # The process must find the same modules as pytest.
        path = os.pathsep.join(filter(None, sys.path))
        environment = {**os.environ, "PYTHONPATH": path}
        served = serve(self._targets, self._port, environment=environment)
        self._process = self._running.enter_context(served)

    def kill(self) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        self._running.close()


def target_of(served: Served) -> str:
    """Return `MODULE:OBJECT` or `FILE.py:OBJECT`, by which a worker finds an object.

    Raises:
        TargetError: The object has no name at the top level of a module.
    """
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            if value is served and module.__name__ != __name__:
                is_packaged = "." in module.__name__ or not module.__file__
                path = module.__name__ if is_packaged else _path(module)
                return f"{path}:{name}"
    raise TargetError(
        f"{served!r} has no name at the top level of a module, so a worker process "
        "cannot import it: define it at the top level, not in a function"
    )


def _path(module: ModuleType) -> str:
    return str(Path(module.__file__ or "").resolve())
