"""`ResultsFile`: the file with the results of a run, complete or absent."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby
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

        If parts are missing, their lines are in the file: a worker has finished the
        file before. Either the worker crashed before it answered; or this is a redrive,
        and its lines replace those of the same index.

        Args:
            parts: The names of the parts, in the order of their lines.
            others: The other lines, in order.

        Raises:
            TerminalError: 500; parts are missing, and the file does not exist.
        """
        paths = [self._parts / name for name in parts]
        found = [path for path in paths if path.exists()]
        before = [] if len(found) == len(paths) else [self.file]
        if before and not self.file.exists():
            raise TerminalError(f"parts of {self.file.name} have been removed", 500)
        new = merge(*map(_lines, found), others, key=_index)
        _write(self.file, _latest(merge(*map(_lines, before), new, key=_index)))
        shutil.rmtree(self._parts, ignore_errors=True)


def _latest(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The last one of the lines with the same index, for each index."""
    for _, same in groupby(lines, _index):
        *_, last = same
        yield last


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


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _index(line: bytes) -> int:
    found = _INDEX.match(line)
    assert found, "a line begins with its index"
    return int(found[1])
