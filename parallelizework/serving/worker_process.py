"""`parallelizework serve` as a process of ours, started again when it dies."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import BinaryIO

from parallelizework.serving.supervisor import Lives, ending, given_up


class WorkerProcess:
    """A worker that serves `targets` at `bind`.

    Args:
        workers: How many processes it has itself.
        environment: All of its variables.
        output: Where it writes its log; None for where this process does.

    Attributes:
        process: The one that runs now.
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
            subprocess.Popen[bytes],
            [*command, "--bind", bind, "--workers", str(workers)],
            env=dict(environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        self._lives = Lives()
        self.process = self._start()

    def revive(self) -> str | None:
        """Start it again if it has ended; how that ended, or None.

        Raises:
            StartError: It died at each of its starts.
        """
        code = self.process.poll()
        if code is None:
            return None
        if not self._lives.end():
            raise given_up("the worker", code)
        self.process = self._start()
        return ending(code)
