"""`RowsFolder`: reads files of rows, one JSON object a line, in ranges."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_core import from_json
from restate import TerminalError

_ROWS = 1_000  # rows of a range: as many subtasks as one coordinator has
_BYTES = 4 * 1024 * 1024  # of a range, unless its last row is larger
_LONGEST = 1024 * 1024  # bytes of a row: a message of Restate holds a range


class RowRange(BaseModel):
    """Consecutive rows of a file.

    Attributes:
        first: The index of the first row.
        start, end: The offsets of the rows, in bytes.
        state: The file's size and time of change when its ranges were made.
    """

    model_config = ConfigDict(frozen=True)

    first: int
    start: int
    end: int
    state: tuple[int, int]


class RowsFolder:
    """The files in a folder; a link in it that leads out of it is not followed.

    Args:
        folder: None if the operator has named none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder and folder.resolve()

    def path(self, name: str) -> Path:
        """The path of a file.

        Raises:
            TerminalError: 400; there is no such file in the folder.
        """
        if self._folder is None:
            raise TerminalError(
                "this worker has no folder for files of rows: its operator can name "
                "one with PARALLELIZEWORK_HTTP_FOLDER",
                400,
            )
        try:
            path = (self._folder / name).resolve(strict=True)
            if path.is_relative_to(self._folder) and path.is_file():
                return path
        except (OSError, ValueError, RuntimeError):
            pass  # a loop of links, a name with a zero in it
        message = f"there is no file {name!r} in the folder of this worker"
        raise TerminalError(message, 400)

    def name(self, path: Path) -> str:
        """The path of a file, relative to the folder."""
        assert self._folder, "there is a file in it"
        return str(path.relative_to(self._folder))

    def ranges(self, name: str) -> Iterator[RowRange]:
        """All rows of a file, in ranges of bounded size."""
        with self.path(name).open("rb") as file:
            state = _state(file)
            first = count = start = 0
            for end, _ in _rows(file):
                count += 1
                if count - first >= _ROWS or end - start >= _BYTES:
                    yield RowRange(first=first, start=start, end=end, state=state)
                    first, start = count, end
            if count > first:
                yield RowRange(first=first, start=start, end=file.tell(), state=state)

    def rows(self, name: str, within: RowRange) -> Iterator[tuple[int, JsonValue]]:
        """Rows with their indexes; a row that is no JSON is returned as text.

        Raises:
            TerminalError: 409; the file has changed since its ranges were made.
        """
        with self.path(name).open("rb") as file:
            if _state(file) != within.state:
                raise TerminalError(f"{name} was changed while it was read", 409)
            file.seek(within.start)
            for index, (_, line) in enumerate(
                _rows(file, within.end), start=within.first
            ):
                yield index, _parsed(line)


def _rows(file: BinaryIO, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The offset after each line that is not blank, and the line."""
    while (end is None or file.tell() < end) and (line := file.readline(_LONGEST + 1)):
        if len(line) > _LONGEST:
            raise TerminalError(
                f"{Path(file.name).name} has a row of more than {_LONGEST:,} bytes, at "
                f"byte {file.tell() - len(line):,}",
                400,
            )
        if line.strip():
            yield file.tell(), line


def _parsed(line: bytes) -> JsonValue:
    try:
        return from_json(line, allow_inf_nan=False)
    except ValueError:
        return line.decode(errors="replace").strip()


def _state(file: BinaryIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns
