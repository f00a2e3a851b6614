"""Files of rows, read in ranges, and files of results, complete or absent."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from restate import TerminalError

from parallelizework.ready_made.http.results.results_file import ResultsFile
from parallelizework.ready_made.http.rows_file import RowsFolder

JOINED = b'{"index":0,"a":1}\n{"index":1}\n{"index":2,"a":1}\n'


@given(lines=st.lists(st.integers(0, 9).map(lambda n: f'{{"n": {n}}}') | st.just(" ")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_is_in_exactly_one_range(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "rows").write_text("\n".join(lines * 300))
    folder = RowsFolder(tmp_path)

    ranges = list(folder.ranges("rows"))
    rows = [row for each in ranges for row in folder.rows("rows", each)]

    assert [index for index, _ in rows] == list(range(len(rows)))
    assert len(rows) == 300 * sum(line != " " for line in lines)
    assert all(len(list(folder.rows("rows", each))) <= 1_000 for each in ranges)


def test_a_range_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b'"%b"\n' % (b"x" * 1_000_000) * 12)

    ranges = list(RowsFolder(tmp_path).ranges("rows"))

    assert [each.first for each in ranges] == [0, 5, 10]


def test_a_file_that_changes_while_it_is_read_is_a_409(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("1\n2\n")
    folder = RowsFolder(tmp_path)
    [only] = folder.ranges("rows")
    (tmp_path / "rows").write_text("1\n22\n")

    with pytest.raises(TerminalError, match="rows was changed") as error:
        list(folder.rows("rows", only))

    assert error.value.status_code == 409


def test_without_a_folder_there_are_no_files() -> None:
    with pytest.raises(TerminalError, match="PARALLELIZEWORK_HTTP_FOLDER"):
        RowsFolder(None).path("rows")


def parts(results: ResultsFile) -> list[str]:
    first, third = [b'{"index":0,"a":1}\n'], [b'{"index":2,"a":1}\n']
    return [results.write_part(0, first), results.write_part(2, third)]


def test_parts_and_other_lines_are_merged_in_order(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path / "rows.ndjson", "run")
    written = parts(results)
    assert not results.file.exists()

    results.finish(written, [b'{"index":1}\n'])

    assert results.file.read_bytes() == JOINED
    assert list(tmp_path.iterdir()) == [results.file]


def test_a_write_that_is_repeated_after_a_crash_changes_nothing(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path / "rows.ndjson", "run")
    written = parts(results)
    assert parts(results) == written
    others = [b'{"index":1}\n']
    results.finish(written, others)

    results.finish(written, others)  # by a worker that does not know of the first time

    assert results.file.read_bytes() == JOINED


def test_a_file_that_cannot_be_written_in_full_is_not_written(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path / "rows.ndjson", "run")
    written = parts(results)
    before = list(tmp_path.rglob("*"))

    def full() -> Iterator[bytes]:
        yield b'{"index":1}\n'
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        results.finish(written, full())

    assert list(tmp_path.rglob("*")) == before


def test_a_part_that_somebody_has_removed_is_an_error(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path / "rows.ndjson", "run")
    written = parts(results)
    os.unlink(next(path for path in tmp_path.rglob("2")))

    with pytest.raises(TerminalError, match="have been removed"):
        results.finish(written, [])
