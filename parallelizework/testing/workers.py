"""`Serve`: worker processes for the fan-outs of a test module, which may be killed."""

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
    """Call it with fan-outs: a worker process serves them until the session ends.

    A second call with the same fan-outs finds the same worker. What is served must have
    a name at the top of a module, as the worker imports it from there.

    Args:
        server: Where the workers are registered.
    """

    def __init__(self, server: LocalServer) -> None:
        self._client = Client(server.ingress, server.admin)
        self._workers: dict[tuple[str, ...], _Worker] = {}
        self._serving: dict[str, _Worker] = {}

    def __call__(self, *fan_outs: Served) -> Client:
        """Serve these, and whatever else is served already.

        Raises:
            TargetError: One of them has no name at the top of a module.
            StartError: The worker ended at once; what it wrote is in the output.
        """
        targets = tuple(map(target_of, fan_outs))
        if targets not in self._workers:
            self._workers[targets] = _Worker(targets)
        worker = self._workers[targets]
        worker.start()
        if not worker.names or any(self._serving[n] != worker for n in worker.names):
            # Where another worker has the same services, the last one serves them.
            is_known = bool(worker.names)
            worker.names = self._client.register(worker.url, force=is_known)
            self._serving |= dict.fromkeys(worker.names, worker)
        return self._client

    def kill(self) -> None:
        """Kill all workers at once, by SIGKILL, whatever they are doing."""
        for worker in self._workers.values():
            worker.kill()

    def start(self) -> None:
        """Start all workers again that were killed, at their old addresses."""
        for worker in self._workers.values():
            worker.start()

    def close(self) -> None:
        """Stop everything."""
        self._client.close()
        for worker in self._workers.values():
            worker.stop()


class _Worker:
    """A process that serves `targets`, again and again at one address."""

    def __init__(self, targets: Sequence[str]) -> None:
        self.names: Sequence[str] = ()  # of its services, once it is registered
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
        # It has to find the modules that pytest has found.
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
    """`MODULE:OBJECT` or `FILE.py:OBJECT`, by which a worker finds the object.

    Raises:
        TargetError: It has no name at the top of a module.
    """
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            if value is served and module.__name__ != __name__:
                is_packaged = "." in module.__name__ or not module.__file__
                path = module.__name__ if is_packaged else _path(module)
                return f"{path}:{name}"
    raise TargetError(
        f"{served!r} has no name at the top of a module, where a worker process could "
        "import it: define it there, not in a function"
    )


def _path(module: ModuleType) -> str:
    return str(Path(module.__file__ or "").resolve())
