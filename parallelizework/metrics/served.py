"""The metrics of a worker on a port of their own, with one process or with several.

Several processes write their metrics to files in one folder (the multiprocess mode of
prometheus_client), and the parent process reads these files. So no count is lost if a
process is killed. By default, the names of the files contain process ids. Here, they
contain the names of the processes. A process has the name of the dead process that it
replaces. So it continues the counters, and the number of files does not grow.

This module imports prometheus_client only if there are metrics.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import current_process
from pathlib import Path
from tempfile import TemporaryDirectory

from parallelizework.errors import extras_named

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # which prometheus_client reads at its import


@dataclass(frozen=True)
class SharedMetrics:
    """The metrics that several processes write.

    Attributes:
        folder: The folder of their files.
    """

    folder: Path

    def write(self) -> None:
        """Write the metrics of this process to the folder, from now on.

        Call it before anything else imports prometheus_client.
        """
        os.environ[_FOLDER] = str(self.folder)
        from prometheus_client import values  # noqa: PLC0415 - it reads the variable

        by_name = values.MultiProcessValue(lambda: current_process().name)  # pyright: ignore[reportUnknownMemberType] - half typed
        values.ValueClass = by_name

    def forget_gauges(self, process: str) -> None:
        """Remove the gauges of a process that has ended, but not its counters."""
        for file in self.folder.glob(f"gauge_live*_{process}.db"):
            file.unlink()


@contextmanager
def metrics_of_this_process(bind: str | None) -> Generator[None]:
    """Serve the metrics of this process until the block ends.

    Args:
        bind: The address to listen on, as `HOST:PORT`; None if there are no metrics.

    Raises:
        PortInUse: The port is in use.
        StartError: The process cannot listen on that address.
        ExtraMissing: The extra `metrics` is not installed.
    """
    if bind is None:
        yield
        return
    with extras_named():
        from prometheus_client import REGISTRY  # noqa: PLC0415 - see above

        from parallelizework.metrics.port import metrics_port  # noqa: PLC0415
    with metrics_port(bind, REGISTRY):
        yield


@contextmanager
def metrics_of_processes(bind: str | None) -> Generator[SharedMetrics | None]:
    """Serve the metrics that other processes write; as `metrics_of_this_process`."""
    if bind is None:
        yield None
        return
    with extras_named():
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - see above
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        from parallelizework.metrics.port import metrics_port  # noqa: PLC0415
    with TemporaryDirectory(prefix="parallelizework-metrics-") as folder:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)
        with metrics_port(bind, registry):
            yield SharedMetrics(Path(folder))
