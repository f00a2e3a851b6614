"""The word count example against independent counts."""

import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from .conftest import GIVEN, ROOT, Server

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(GIVEN, reason="its worker sees other files"),
]


def test_the_words_of_this_repository_are_counted(server: Server) -> None:
    folder = ROOT / "parallelizework"

    answer = server.run("WordCount", {"folder": str(folder), "glob": "**/*.py"}).json()

    assert_counted(answer, sorted(folder.glob("**/*.py")))


def test_the_words_of_over_500_files_are_counted(server: Server) -> None:
    folder = Path(sysconfig.get_path("purelib"))
    files = sorted(folder.glob("p*/**/*.py"))
    task = {"folder": str(folder), "glob": "p*/**/*.py"}

    answer = server.run("WordCount", task).json()

    assert len(files) > 500
    assert_counted(answer, files)


def test_an_unreadable_file_fails_its_subtask_with_a_clear_error(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").symlink_to("/proc/self/mem")

    answer = server.run("WordCount", {"folder": str(tmp_path)})

    assert answer.status_code == 404
    message = f"subtask 1 failed: cannot read {tmp_path}/b.txt: Input/output error ("
    assert answer.json()["message"].startswith(message)


def test_a_missing_folder_is_a_400(server: Server) -> None:
    answer = server.run("WordCount", {"folder": "/nowhere"})

    assert answer.status_code == 400
    assert answer.json()["message"] == "/nowhere is not a folder of the worker"


def assert_counted(answer: dict[str, Any], files: list[Path]) -> None:
    counts: dict[str, int] = {}
    for file in files:
        for word in re.findall(r"[^\W\d_]+", file.read_text(errors="replace")):
            counts[word.lower()] = counts.get(word.lower(), 0) + 1
    wc = subprocess.run(["wc", "-l", *files], check=True, capture_output=True)
    assert answer["files"] == len(files)
    assert answer["words"] == sum(counts.values())
    assert answer["lines"] == int(wc.stdout.splitlines()[-1].split()[0])
    top: dict[str, int] = answer["top"]
    assert list(top.values()) == sorted(counts.values(), reverse=True)[:10]
    assert all(counts[word] == times for word, times in top.items())
