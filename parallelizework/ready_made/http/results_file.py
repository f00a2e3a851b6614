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
    """The results of one run, in parts until it ends.

    A part is written as a whole, under a name that is the same if it is written again;
    so is the file. What happens twice does no harm.

    Args:
        rows: The file of the rows, beside which all this is.
        name: That of the run, which no other has.
    """

    def __init__(self, rows: Path, name: str) -> None:
        self.file = rows.with_name(f"{rows.stem}.results.ndjson")
        self._parts = rows.with_name(f".{rows.stem}.{name}.parts")

    def write_part(self, first: int, lines: Iterable[bytes]) -> str:
        """Write what belongs together, in order; the name of that part.

        Args:
            first: The index of the first of them, which no other part has.
        """
        self._parts.mkdir(exist_ok=True)
        name = str(first)
        _write(self._parts / name, lines)
        return name

    def finish(self, parts: Sequence[str], others: Iterable[bytes]) -> None:
        """Put all parts together, with other lines among them, and remove them.

        Args:
            parts: Their names, in order.
            others: In order.

        Raises:
            TerminalError: 500; somebody else has removed parts.
        """
        paths = [self._parts / name for name in parts]
        if all(path.exists() for path in paths):
            _write(self.file, merge(_lines(paths), others, key=_index))
        elif not self.file.exists():
            raise TerminalError(f"parts of {self.file.name} have been removed", 500)
        # Else this has been done before, by a worker that did not live to tell it.
        shutil.rmtree(self._parts, ignore_errors=True)


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file that is there in full, also after a power failure, or not at all."""
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
