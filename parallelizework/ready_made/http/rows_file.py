"""`RowsFolder`: reads files of rows, one JSON object per line, in ranges."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_core import from_json
from restate import TerminalError

_MAX_ROWS = 1_000  # in a range: as many subtasks as one coordinator has
_MAX_BYTES = 4 * 1024 * 1024  # of a range, before its last row
_MAX_ROW = 1024 * 1024  # bytes of a row: a message of Restate has to hold a range


class RowRange(BaseModel):
    """Consecutive rows of a file.

    Attributes:
        first: The index of the first row.
        start: The offset of the first row, in bytes.
        end: The offset after the last row, in bytes.
        state: The file's size and modification time when its ranges were made.
    """

    model_config = ConfigDict(frozen=True)

    first: int
    start: int
    end: int
    state: tuple[int, int]


class RowsFolder:
    """The files in a folder; links to files outside the folder are refused.

    Args:
        folder: The folder; None if the operator has set none.
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
                "this worker has no folder for files of rows. The worker's operator "
                "can set it with PARALLELIZEWORK_HTTP_FOLDER",
                400,
            )
        try:
            path = (self._folder / name).resolve(strict=True)
            if path.is_relative_to(self._folder) and path.is_file():
                return path
        except (OSError, ValueError, RuntimeError):
            pass  # a loop of links, a name with a null character
        message = f"there is no file {name!r} in the folder of this worker"
        raise TerminalError(message, 400)

    def name(self, path: Path) -> str:
        """The path of a file, relative to the folder."""
        assert self._folder, "the folder contains a file"
        return str(path.relative_to(self._folder))

    def ranges(self, name: str) -> Iterator[RowRange]:
        """All rows of a file, in ranges of bounded size."""
        with self.path(name).open("rb") as file:
            state = _state(file)
            first = count = start = 0
            for end, _ in _rows(file):
                count += 1
                if count - first >= _MAX_ROWS or end - start >= _MAX_BYTES:
                    yield RowRange(first=first, start=start, end=end, state=state)
                    first, start = count, end
            if count > first:
                yield RowRange(first=first, start=start, end=file.tell(), state=state)

    def rows(self, name: str, within: RowRange) -> Iterator[tuple[int, JsonValue]]:
        """The rows of a range, with their indexes; an invalid row is returned as text.

        Raises:
            TerminalError: 409; the file has changed since its ranges were made.
        """
        with self.path(name).open("rb") as file:
            if _state(file) != within.state:
                raise TerminalError(f"{name} was changed during the run", 409)
            file.seek(within.start)
            for index, (_, line) in enumerate(
                _rows(file, within.end), start=within.first
            ):
                yield index, _parsed(line)


def _rows(file: BinaryIO, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The offset after each line that is not blank, and the line."""
    while (end is None or file.tell() < end) and (line := file.readline(_MAX_ROW + 1)):
        if len(line) > _MAX_ROW:
            raise TerminalError(
                f"{Path(file.name).name} has a row of more than {_MAX_ROW:,} bytes, at "
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
