"""Count the words of the text files in a folder. Each file is one subtask.

parallelizework dev examples/wordcount.py:wordcount
curl localhost:8080/WordCount/run --json '{"folder": "docs", "glob": "**/*.md"}'
"""

import re
from collections import Counter
from pathlib import Path

from pydantic import BaseModel
from restate import TerminalError

from parallelizework import FanOut

WORD = re.compile(r"[^\W\d_]+")
TOP = 10


class Folder(BaseModel):
    """The task: a folder, a glob of its files, and folder names to exclude."""

    folder: Path
    glob: str = "**/*.txt"
    exclude: frozenset[str] = frozenset()


class Words(BaseModel):
    """The number of lines of one file, and the count of each word."""

    lines: int
    counts: dict[str, int]


class Report(BaseModel):
    """The totals of all files, and the most frequent words."""

    files: int
    lines: int
    words: int
    top: dict[str, int]


def files_of(task: Folder) -> list[Path]:
    """Return the paths of the files in sorted order."""
    if not task.folder.is_dir():
        raise TerminalError(f"{task.folder} is not a folder of the worker", 400)
    return sorted(
        path
        for path in task.folder.glob(task.glob)
        if path.is_file() and task.exclude.isdisjoint(path.parts)
    )


def count(path: Path) -> Words:
    """Count the words of one file. A file that cannot be read is not retried."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise TerminalError(f"cannot read {path}: {error.strerror}", 404) from error
    return Words(
        lines=text.count("\n"),
        counts=Counter(word.lower() for word in WORD.findall(text)),
    )


def report(files: list[Words]) -> Report:
    """Add up the counts of all files."""
    counts = Counter[str]()
    for file in files:
        counts.update(file.counts)
    return Report(
        files=len(files),
        lines=sum(file.lines for file in files),
        words=counts.total(),
        top=dict(counts.most_common(TOP)),
    )


wordcount = FanOut("WordCount", split=files_of, execute=count, aggregate=report)
