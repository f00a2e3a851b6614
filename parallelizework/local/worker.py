"""`WorkerProcess`: `parallelizework serve` as a child process that can be restarted."""

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from subprocess import Popen
from typing import BinaryIO

from parallelizework.local.ports import HOST, url
from parallelizework.local.process import await_ready, stopped_at_the_end
from parallelizework.serving.supervisor import Lives, ending, given_up


class WorkerProcess:
    """A child process that serves `targets` at `bind`.

    Args:
        targets: The targets of `parallelizework serve`.
        bind: The address to listen on, as `HOST:PORT`.
        workers: The number of worker processes that it starts.
        environment: All its environment variables.
        output: The file for its log; by default, the stderr of this process.

    Attributes:
        process: The current process.
    """

    def __init__(
        self,
        targets: Sequence[str],
        bind: str,
        *,
        workers: int,
        environment: Mapping[str, str],
        output: BinaryIO | None = None,
    ) -> None:
        command = [sys.executable, "-m", "parallelizework", "serve", *targets]
        self._start = partial(
            Popen[bytes],
            [*command, "--bind", bind, "--workers", str(workers)],
            env=dict(environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        self._lives = Lives()
        self.process = self._start()

    def revive(self) -> str | None:
        """Start the process again if it has ended.

        Returns:
            How the process ended; None if it still runs.

        Raises:
            StartError: The process ended soon after each of its starts.
        """
        code = self.process.poll()
        if code is None:
            return None
        if not self._lives.end():
            raise given_up("the worker", code)
        self.process = self._start()
        return ending(code)


@contextmanager
def serve(
    fan_outs: Sequence[str],
    port: int,
    *,
    workers: int = 1,
    environment: Mapping[str, str],
    output: BinaryIO | None = None,
) -> Generator[Popen[bytes], None, None]:
    """Run `parallelizework serve`; it is ready when the block begins.

    Args:
        output: The file for its log; by default, the stderr of this process.
    """
    with worker(
        fan_outs, port, workers=workers, environment=environment, output=output
    ) as started:
        yield started.process


@contextmanager
def worker(
    fan_outs: Sequence[str],
    port: int,
    *,
    workers: int,
    environment: Mapping[str, str],
    output: BinaryIO | None = None,
) -> Generator[WorkerProcess, None, None]:
    """Run a worker until the block ends; the arguments are those of `serve`."""
    process = WorkerProcess(
        fan_outs,
        f"{HOST}:{port}",
        workers=workers,
        environment=environment,
        output=output,
    )
    with stopped_at_the_end(lambda: process.process):
        await_ready(process.process, [url(port) + "/health"], "the worker")
        yield process
