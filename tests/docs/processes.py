"""The processes of a page. A variable marks them: no other process is killed."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MARK = "DOCS_PAGE"  # an environment variable of each process of a page
_PROC = Path("/proc")
_PAUSE = 0.02  # seconds between checks


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition is true; return False after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def signal_group(group: int, signum: int) -> bool:
    """Send a signal to a process group (0: none); return whether the group exists."""
    try:
        os.killpg(group, signum)
    except ProcessLookupError:
        return False
    return True


def kill_marked(mark: str) -> list[str]:
    """Kill the remaining processes of a page, and return their commands.

    If `dev` was killed, its processes remain in their own process group. Without /proc,
    these processes are not killed.
    """
    left: list[str] = []
    for process in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}\0".encode() in process.joinpath("environ").read_bytes():
                command = process.joinpath("cmdline").read_bytes()
                left.append(command.replace(b"\0", b" ").decode(errors="replace"))
                os.kill(int(process.name), signal.SIGKILL)
    return left
