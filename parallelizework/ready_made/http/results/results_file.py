"""`ResultsFile`: the file with the results of a run, complete or absent."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from pathlib import Path

from restate import TerminalError

_INDEX = re.compile(rb'\{"index":(\d+)')


class ResultsFile:
    """Writes the results of one run: parts while it runs, one file when it ends.

    Each part and the file are written completely or not at all. A write that is
    repeated after a crash writes to the same path, which does no harm.

    Args:
        rows: The path of the rows; the results are in the same folder.
        name: The unique name of the run.
    """

    def __init__(self, rows: Path, name: str) -> None:
        self.file = rows.with_name(f"{rows.stem}.results.ndjson")
        self._parts = rows.with_name(f".{rows.stem}.{name}.parts")

    def write_part(self, first: int, lines: Iterable[bytes]) -> str:
        """Write some lines, in order, and return the name of their part.

        Args:
            first: The index of the first line.
        """
        self._parts.mkdir(exist_ok=True)
        name = str(first)
        _write(self._parts / name, lines)
        return name

    def finish(self, parts: Sequence[str], others: Iterable[bytes]) -> None:
        """Merge all parts and the other lines into the file, then remove the parts.

        Args:
            parts: The names of the parts, in the order of their lines.
            others: The other lines, in order.

        Raises:
            TerminalError: 500; parts are missing, and the file does not exist.
        """
        paths = [self._parts / name for name in parts]
        if all(path.exists() for path in paths):
            _write(self.file, merge(_lines(paths), others, key=_index))
        elif not self.file.exists():
            raise TerminalError(f"parts of {self.file.name} have been removed", 500)
        # Otherwise, a worker wrote the file and crashed before it answered.
        shutil.rmtree(self._parts, ignore_errors=True)


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file completely or not at all, also if the power fails."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _lines(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            yield from file


def _index(line: bytes) -> int:
    found = _INDEX.match(line)
    assert found, "a line begins with its index"
    return int(found[1])
