"""Large jobs of HttpFanOut: rows out of a file, results into a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from ..conftest import GIVEN, Server
from ..misbehaving import Misbehaving

pytestmark = pytest.mark.skipif(GIVEN, reason="its worker sees other files")


@pytest.fixture
def rows(server: Server, key: str) -> Path:
    """A file for rows that no other test has."""
    return server.folder / f"{key}.ndjson"


def run(server: Server, rows: Path, url: str, **task: Any) -> dict[str, Any]:
    task |= {"request": {"url": url}, "rows_file": rows.name}
    return server.run("HttpFanOut", task).raise_for_status().json()


def results(rows: Path) -> list[dict[str, Any]]:
    """Return the lines of the results; there is no other file in the folder."""
    file = rows.with_name(f"{rows.stem}.results.ndjson")
    beside = {each.name for each in rows.parent.iterdir() if rows.stem in each.name}
    assert beside == {rows.name, file.name}
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.once
@pytest.mark.parametrize(("count", "batch"), [(1_100, 1), (2_100, 64)])
def test_results_have_one_line_for_each_row_in_the_same_order(
    server: Server, target: Misbehaving, rows: Path, count: int, batch: int
) -> None:
    """A shard has a thousand of them at most."""
    lines = [
        json.dumps({"id": n, "status": 404 if n % 10 == 7 else 200})
        for n in range(count)
    ]
    lines[5], lines[6] = "no json", '{"other": 1}'
    rows.write_text("\n".join(lines) + "\n\n")

    answer = run(
        server,
        rows,
        target.url + "/status/{status}?{id}",
        policy={"max_items_per_batch": batch},
    )

    assert answer == {
        "results_file": f"{rows.stem}.results.ndjson",
        "succeeded": count - count // 10 - 2,
        "failed": count // 10 + 2,
    }
    found = results(rows)
    assert [line["index"] for line in found] == list(range(count))
    assert found[0]["status"] == 200
    assert "is not a JSON object" in found[5]["message"]
    assert "row 6: the template needs 'status'" in found[6]["message"]
    assert {line["code"] for line in found[7::10]} == {404}


def test_the_results_of_an_earlier_run_are_replaced(
    server: Server, target: Misbehaving, rows: Path
) -> None:
    rows.write_text('{"n": 1}\n{"n": 2}')
    run(server, rows, target.url + "/status/404?{n}")
    rows.write_text('{"n": 3}')

    run(server, rows, target.url + "/echo/{n}")

    [line] = results(rows)
    assert line["body"]["target"] == "/echo/3"


def test_a_file_without_rows_has_results_without_lines(
    server: Server, target: Misbehaving, rows: Path
) -> None:
    rows.write_text("\n")

    answer = run(server, rows, target.url)

    assert (answer["succeeded"], answer["failed"]) == (0, 0)
    assert results(rows) == []


@pytest.mark.parametrize(
    ("include", "shown"),
    [
        (True, [{"n": 1, "m": [2]}, "no json", {"m": 3}, [4]]),
        (["n", "o"], [{"n": 1}, None, {}, None]),
    ],
)
def test_a_line_of_the_results_includes_its_row_on_request(
    server: Server, target: Misbehaving, rows: Path, include: Any, shown: list[Any]
) -> None:
    rows.write_text('{"n": 1, "m": [2]}\nno json\n{"m": 3}\n[4]\n')

    run(server, rows, target.url + "/echo/{n}", include_row=include)

    assert [line.get("row") for line in results(rows)] == shown


def test_results_can_be_returned_inline(
    server: Server, target: Misbehaving, rows: Path
) -> None:
    rows.write_text('{"n": 1}\n{"n": 2}')

    answer = run(server, rows, target.url + "/echo/{n}", results="inline")

    targets = [each["body"]["target"] for each in answer["responses"]]
    assert targets == ["/echo/1", "/echo/2"]


@pytest.mark.once
def test_the_error_for_a_too_large_result_names_rows_file(
    server: Server, target: Misbehaving
) -> None:
    url = f"{target.url}/large/1000000"

    answer = server.run("HttpFanOut", {"requests": [{"url": url}] * 30})

    assert answer.status_code == 413
    assert "more than 12 MiB" in answer.json()["message"]
    assert "rows_file" in answer.json()["message"]


@pytest.mark.once
@pytest.mark.parametrize(
    "name", ["../other/rows", "/etc/passwd", "link", ".", "", "nothing", "a\0b", "loop"]
)
def test_a_file_outside_the_folder_is_not_read(
    server: Server, tmp_path: Path, name: str
) -> None:
    (tmp_path / "secret").write_text("{}")
    link, loop = server.folder / "link", server.folder / "loop"
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "secret")
    if not loop.is_symlink():
        loop.symlink_to(loop)

    task = {"request": {"url": "http://localhost/"}, "rows_file": name}
    answer = server.run("HttpFanOut", task)

    assert answer.status_code == 400
    assert "there is no file" in answer.json()["message"]


@pytest.mark.once
def test_a_row_that_is_too_large_is_not_read(server: Server, rows: Path) -> None:
    rows.write_text('{"n": 1}\n{"n": "' + "x" * 2**20 + '"}')

    task = {"request": {"url": "http://localhost/{n}"}, "rows_file": rows.name}
    answer = server.run("HttpFanOut", task)

    assert answer.status_code == 400
    message = "has a row of more than 1,048,576 bytes, at byte 9"
    assert message in answer.json()["message"]
