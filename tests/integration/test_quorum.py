"""The quorum example: a file that is kept in several folders."""

import json
from pathlib import Path

import pytest

from .conftest import GIVEN, Server

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(GIVEN, reason="its worker sees other files"),
]


def test_the_newest_of_two_readable_copies_is_returned(
    server: Server, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in "xyz"]
    for version, folder in enumerate(folders[1:], 1):
        folder.mkdir()
        copy = {"version": version, "text": f"written {version} times"}
        (folder / "a.json").write_text(json.dumps(copy))
    task = {"name": "a.json", "folders": [str(folder) for folder in folders]}

    found = server.run("Quorum", task).json()
    (folders[2] / "a.json").unlink()
    lost = server.run("Quorum", task)

    assert found["newest"] == {"version": 2, "text": "written 2 times"}
    assert found["read"] == 2
    assert lost.status_code == 500
    assert lost.json()["message"].startswith("min_successful=2 cannot be reached: ")
