"""The entries of a restate-server's log that an error shows."""

from pathlib import Path

import pytest

from parallelizework.local.server_log import last_problems

START = (
    "2026-11-25T17:35:28.025771Z INFO restate_server\n"
    "  Starting Restate Server 1.7.12\n"
    "on main\n"
)
KUBERNETES = "2026-11-25T17:35:28.100208Z ERROR octocrab\n  failed\non rs:worker-1\n"
INFO = "2026-11-25T17:35:28.437851Z INFO restate_core\n  Server listening\non main\n"
ERROR = (
    "2026-11-25T17:35:28.852231Z ERROR restate_server\n"
    "  Restate application failed\n"
    "    error: db is locked\n"
    "on main\n"
)
WARNING = "2026-11-25T17:35:29.852231Z WARN restate_core\n  slow disk\non main\n"


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        (START + WARNING + INFO + ERROR + INFO, WARNING + ERROR),
        (START + WARNING + START + KUBERNETES + ERROR, ERROR),
        (START + KUBERNETES, START + KUBERNETES),
        (START + INFO * 9, INFO * 5),
        ("and the rest of an entry\n" + INFO, INFO),
        ("", ""),
    ],
    ids=["problems", "last-start", "no-problem", "last-entries", "cut", "empty"],
)
def test_the_warnings_and_errors_since_the_last_start_are_whole_entries(
    tmp_path: Path, log: str, shown: str
) -> None:
    path = tmp_path / "restate-server.log"
    path.write_text(log)

    assert last_problems(path) == shown.rstrip()


def test_a_large_log_is_read_from_an_entry_near_its_end(tmp_path: Path) -> None:
    path = tmp_path / "restate-server.log"
    path.write_text(START + ERROR + INFO * 2_000 + WARNING)

    assert last_problems(path) == WARNING.rstrip()
