"""`last_problems`: the warnings and errors at the end of a restate-server's log."""

import os
import re
from pathlib import Path

_TAIL = 65_536  # bytes of the log that are read
_SHOWN = 5  # entries; the last ones contain the cause
_ENTRY = re.compile(r"(?m)^(?=\d{4}-\d\d-\d\dT\S+ +[A-Z]+ )")
_START = "Starting Restate Server"
_PROBLEMS = {"WARN", "ERROR"}
_HARMLESS = "octocrab"  # at each start, the server looks for Kubernetes


def last_problems(log: Path) -> str:
    """The last warnings and errors since the last start of the server.

    An entry has several lines. If the log has no warning and no error, the last entries
    are returned.
    """
    entries = _ENTRY.split(_tail(log))[1:]  # the first one may be cut
    starts = [index for index, entry in enumerate(entries) if _START in entry]
    entries = entries[starts[-1] :] if starts else entries
    problems = [entry for entry in entries if _is_problem(entry)]
    return "".join((problems or entries)[-_SHOWN:]).rstrip()


def _is_problem(entry: str) -> bool:
    _, level, source, *_ = [*entry.split(maxsplit=3), ""]
    return level in _PROBLEMS and source != _HARMLESS


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _TAIL, 0))
        return file.read().decode(errors="replace")
