"""`worker`: `parallelizework serve` as a child process."""

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from subprocess import Popen
from typing import BinaryIO

from parallelizework.local.ports import HOST, url
from parallelizework.local.process import (
    RestartableProcess,
    await_ready,
    stopped_at_the_end,
)


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
) -> Generator[RestartableProcess, None, None]:
    """Run a worker until the block ends; the arguments are those of `serve`."""
    command = [sys.executable, "-m", "parallelizework", "serve", *fan_outs]
    start = partial(
        Popen[bytes],
        [*command, "--bind", f"{HOST}:{port}", "--workers", str(workers)],
        env=dict(environment),
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    process = RestartableProcess("the worker", start)
    with stopped_at_the_end(process):
        await_ready(process, [url(port) + "/health"])
        yield process
