"""`Ledger`: executions of subtasks, stored outside Restate. A kill loses no line."""

import os
from asyncio import CancelledError
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from time import monotonic
from uuid import uuid4

from tests.faults.history import Event, What


class Ledger:
    """A file with one line for each event. Several processes may append lines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def execution(self, run: str, index: int) -> Generator[None, None, None]:
        """Record the start and the end of an execution of a subtask."""
        write = partial(self._write, run, index, uuid4().hex[:12])
        write(What.BEGAN)
        try:
            yield
        except CancelledError:
            write(What.CUT_OFF)
            raise
        except Exception:
            write(What.RAISED)
            raise
        write(What.ENDED)

    def is_first(self, run: str, index: int) -> bool:
        """Whether this is the first call for the subtask in any process."""
        marks = self._path.with_suffix(".marks")
        marks.mkdir(exist_ok=True)
        try:
            (marks / f"{run}-{index}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def read(self) -> list[Event]:
        """Return all events in their order."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [_event(line) for line in lines]

    def count_unended(self, processes: frozenset[int]) -> int:
        """Return how many executions in these processes have not ended."""
        events = [each for each in self.read() if each.process in processes]
        began = sum(each.what is What.BEGAN for each in events)
        return 2 * began - len(events)

    def _write(self, run: str, index: int, execution: str, what: What) -> None:
        fields = (run, index, execution, os.getpid(), monotonic(), what)
        os.write(_opened(self._path), ("\t".join(map(str, fields)) + "\n").encode())


@cache
def _opened(path: Path) -> int:
    return os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)


def _event(line: str) -> Event:
    run, index, execution, process, at, what = line.split("\t")
    return Event(run, int(index), execution, int(process), float(at), What(what))
