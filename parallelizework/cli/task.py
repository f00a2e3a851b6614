"""The task of `run`: JSON from the command line, a file or stdin; and its labels."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from pydantic_core import from_json

from parallelizework.errors import ParallelizeworkError
from parallelizework.notifications.receivers import Receiver, receiver_of


class UsageError(ParallelizeworkError):
    """The command line is wrong; the exit code is 2."""


def read_task(task: str | None, lines: str | None, name: str = "task") -> bytes:
    """The task as JSON text.

    Args:
        task: JSON, `@FILE` or `-` for stdin.
        name: What the JSON is, for messages.
        lines: A file, or `-` for stdin. Each line that is not empty becomes an item of
            the task.

    Raises:
        UsageError: Neither or both are set, a file cannot be read, or the task is not
            JSON.
    """
    if lines is not None and task is None:
        found = [line.removesuffix("\r") for line in _text(lines).split("\n")]
        return json.dumps([line for line in found if line.strip()]).encode()
    if task is None:
        raise UsageError(
            "the task is missing: add the task as JSON, @FILE or - (stdin), or add "
            "--from-lines FILE"
        )
    if lines is not None:
        raise UsageError("pass either a task or --from-lines FILE, not both")
    is_elsewhere = task == "-" or task.startswith("@")
    text = _text(task.removeprefix("@")) if is_elsewhere else task
    try:
        from_json(text)
    except ValueError as error:
        raise UsageError(
            f"the {name} is not JSON ({error}). A string needs JSON quotes inside the "
            "quotes of the shell: '\"text\"'"
        ) from error
    return text.encode()


def read_labels(texts: Iterable[str]) -> dict[str, str]:
    """The labels in texts such as `tenant=a`.

    Raises:
        UsageError: A text has no `=`, or two texts have the same key.
    """
    labels: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text!r} is not a label: use KEY=VALUE")
        if key in labels:
            raise UsageError(f"the label {key} has two values: use one value")
        labels[key] = value
    return labels


def read_receivers(urls: Iterable[str]) -> list[Receiver]:
    """The receivers with these URLs, such as `mailto:me@example.com`.

    Raises:
        UnfitData: A URL is not that of a receiver.
    """
    return [receiver_of(url) for url in urls]


def _text(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error}") from error
