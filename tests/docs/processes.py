"""The processes of a page: marked by a variable, so that no other is ever touched."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MARK = "DOCS_PAGE"  # the variable that each process of a page has
_PROC = Path("/proc")
_PAUSE = 0.02  # seconds between looks


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition comes to hold within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def signal_group(group: int, signum: int) -> bool:
    """Send a signal to a process group, 0 to ask; whether there is one."""
    try:
        os.killpg(group, signum)
    except ProcessLookupError:
        return False
    return True


def kill_marked(mark: str) -> list[str]:
    """Kill the processes that a page has left; the commands of those there were.

    Those of a `dev` that was itself killed have a process group of their own. Where
    there is no /proc, they are left.
    """
    left: list[str] = []
    for process in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}\0".encode() in process.joinpath("environ").read_bytes():
                command = process.joinpath("cmdline").read_bytes()
                left.append(command.replace(b"\0", b" ").decode(errors="replace"))
                os.kill(int(process.name), signal.SIGKILL)
    return left
