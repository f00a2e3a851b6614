"""The task of `run`: JSON as it stands, from a file or stdin, or lines of text."""

import json
import sys
from pathlib import Path

from parallelizework.errors import ParallelizeworkError


class UsageError(ParallelizeworkError):
    """The command line is wrong; exit code 2."""


def read_task(task: str | None, lines: str | None) -> bytes:
    """The task as JSON text.

    Args:
        task: JSON, `@FILE` or `-` for stdin.
        lines: A file, or `-`, of which each line that is not empty is one item of the
            task.

    Raises:
        UsageError: Neither or both are given, a file cannot be read, it is no JSON.
    """
    if lines is not None and task is None:
        found = [line for line in _text(lines).splitlines() if line.strip()]
        return json.dumps(found).encode()
    if task is None or lines is not None:
        raise UsageError(
            "give the task either as JSON, @FILE or - (stdin), or by --from-lines"
        )
    is_elsewhere = task == "-" or task.startswith("@")
    text = _text(task.removeprefix("@")) if is_elsewhere else task
    try:
        json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"the task is not JSON ({error}); a text needs quotes within the shell's: "
            "'\"text\"'"
        ) from error
    return text.encode()


def _text(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error}") from error
