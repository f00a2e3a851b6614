"""A ledger outside Restate, and functions that wait for a repair by a test."""

import asyncio
import os
import tempfile
from pathlib import Path

from pydantic import BaseModel

from parallelizework import FanOut


class Ledger:
    """A record of all executions, outside Restate, in the worker's /tmp."""

    def __init__(self, key: str) -> None:
        self._path = Path(tempfile.gettempdir()) / f"parallelizework-{key}"

    def enter(self) -> int:
        """Add an entry; return the new number of entries."""
        descriptor = os.open(self._path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        with os.fdopen(descriptor, "ab") as ledger:
            ledger.write(b".")
            return ledger.tell()

    @property
    def size(self) -> int:
        """Return the number of entries."""
        return self._path.stat().st_size if self._path.exists() else 0


class Lines:
    """A record of events, outside Restate, in the worker's /tmp: one line for each.

    Args:
        name: The name of the fan-outs that record events.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def record(self, key: str, line: str) -> None:
        """Add a line for a run."""
        flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY
        with os.fdopen(os.open(self._path(key), flags), "ab") as ledger:
            ledger.write(f"{line}\n".encode())

    def of(self, key: str) -> list[str]:
        """Return the lines of a run."""
        path = self._path(key)
        return path.read_text().splitlines() if path.exists() else []

    def fan_out(self, name: str) -> FanOut[str, str, list[str], list[str]]:
        """Return a fan-out that returns the lines of a run."""
        return FanOut(name, split=one_key, execute=self.of, aggregate=first_lines)

    def _path(self, key: str) -> Path:
        return Path(tempfile.gettempdir()) / f"parallelizework-{self._name}-{key}"


def one_key(key: str) -> list[str]:
    return [key]


def first_lines(values: list[list[str]]) -> list[str]:
    return values[0]


def repair(key: str) -> int:
    """Record a repair of the key; return the number of repairs."""
    return Ledger(f"{key}-repaired").enter()


def repairs(key: str) -> int:
    """Return the number of repairs of the key."""
    return Ledger(f"{key}-repaired").size


async def until_repaired(key: str, times: int = 1) -> None:
    """Wait until a test has repaired the key `number` times."""
    while repairs(key) < times:  # noqa: ASYNC110 - by another process
        await asyncio.sleep(0.05)


class Keyed(BaseModel):
    """A task or subtask that names a ledger."""

    key: str
    fail: str = ""


def one(task: Keyed) -> list[Keyed]:
    return [task]


def only(values: list[int]) -> int:
    return values[0]


def ledger_size(task: Keyed) -> int:
    return Ledger(task.key).size


executions = FanOut("Executions", split=one, execute=ledger_size, aggregate=only)


def repaired(task: Keyed) -> int:
    return repair(task.key)


repairing = FanOut("Repair", split=one, execute=repaired, aggregate=only)
