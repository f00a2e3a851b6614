"""`RowsFolder`: files of rows, one JSON object a line, in the operator's folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_core import from_json
from restate import TerminalError

_ROWS = 1_000  # rows of a shard: a coordinator's worth
_BYTES = 4 * 1024 * 1024  # or fewer, if they are as large as that together
_LONGEST = 1024 * 1024  # bytes of a row: a message of Restate holds a shard of them


class Range(BaseModel):
    """Some rows of a file.

    Attributes:
        first: The index of the first of them.
        start, end: Where they are, in bytes.
        state: The file's size and time of change when it was looked at.
    """

    model_config = ConfigDict(frozen=True)

    first: int
    start: int
    end: int
    state: tuple[int, int]


class RowsFolder:
    """The files in a folder, and in none of the places that a link in it leads to.

    Args:
        folder: None if there is none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder and folder.resolve()

    def path(self, name: str) -> Path:
        """Where a file is.

        Raises:
            TerminalError: 400; it is not there, or not in the folder.
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
        """What a file in the folder is called from outside."""
        assert self._folder, "there is a file in it"
        return str(path.relative_to(self._folder))

    def ranges(self, name: str) -> Iterator[Range]:
        """All rows of a file, in pieces of bounded size."""
        with self.path(name).open("rb") as file:
            state = _state(file)
            first = count = start = 0
            for end, _ in _rows(file):
                count += 1
                if count - first >= _ROWS or end - start >= _BYTES:
                    yield Range(first=first, start=start, end=end, state=state)
                    first, start = count, end
            if count > first:
                yield Range(first=first, start=start, end=file.tell(), state=state)

    def rows(self, name: str, part: Range) -> Iterator[tuple[int, JsonValue]]:
        """Rows with their indexes; what is no JSON comes as its text.

        Raises:
            TerminalError: 409; the file is not what it was.
        """
        with self.path(name).open("rb") as file:
            if _state(file) != part.state:
                raise TerminalError(f"{name} was changed while it was read", 409)
            file.seek(part.start)
            for index, (_, line) in enumerate(_rows(file, part.end), start=part.first):
                yield index, _parsed(line)


def _rows(file: BinaryIO, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with where they end."""
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
