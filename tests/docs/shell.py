"""`Shell`: one bash process, in which a page types its commands one by one."""

import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .processes import MARK, eventually, kill_marked, signal_group

_COMMAND_SECONDS = 120.0  # a bound for what hangs: no page depends on it
_STOP_SECONDS = 30.0  # then it is killed


class ShellError(Exception):
    """A command has not ended in time, or the shell itself has ended."""


@dataclass(frozen=True)
class Started:
    """A command that runs in the background."""

    group: int
    log: Path

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it is left."""
        return not signal_group(self.group, 0)


class Shell:
    """A bash process; what its commands print goes to files of `scratch`."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", scratch: Path, mark: str
    ) -> None:
        self._process = process
        self._scratch = scratch
        self._mark = mark
        self._count = 0
        self.started: list[Started] = []
        self._type("exec 9>&1 >/dev/null")  # 9 is for the answers of bash itself

    def run(self, text: str) -> tuple[int, str]:
        """The exit code of a command, and what it has printed.

        Raises:
            ShellError: It does not end.
        """
        file, log = self._files(text)
        self._type(f'eval "$(cat {file})" </dev/null >{log} 2>&1; echo $? >&9')
        try:
            code = int(self._answer())
        except ShellError as error:
            raise ShellError(f"{error}\n{log.read_text(errors='replace')}") from None
        return code, log.read_text(errors="replace")

    def start(self, text: str) -> Started:
        """Start a command in the background, in a process group of its own."""
        file, log = self._files(f"exec env {text}")
        self._type("set -m")
        self._type(f'(eval "$(cat {file})") </dev/null >{log} 2>&1 9>&- &')
        self._type("set +m; echo $! >&9")
        started = Started(int(self._answer()), log)
        self.started.append(started)
        return started

    def _files(self, text: str) -> tuple[str, Path]:
        self._count += 1
        file = self._scratch / f"{self._count}.command"
        file.write_text(text)
        log = self._scratch / f"{self._count}.output"
        log.touch()
        return shlex.quote(str(file)), log

    def _type(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def _answer(self) -> str:
        """The next line that bash itself writes."""
        assert self._process.stdout
        deadline, answer = time.monotonic() + _COMMAND_SECONDS, b""
        while not answer.endswith(b"\n"):
            left = deadline - time.monotonic()
            stream = self._process.stdout.fileno()
            if left < 0 or not select.select([stream], [], [], left)[0]:
                raise ShellError(f"it has not ended within {_COMMAND_SECONDS:.0f} s")
            byte = os.read(stream, 1)
            if not byte:
                raise ShellError("the shell itself has ended")
            answer += byte
        return answer.decode()

    def stop(self) -> None:
        """Stop all that was started, and what that has left behind."""
        groups = [each.group for each in self.started]
        alive = [group for group in groups if signal_group(group, signal.SIGTERM)]
        for group in alive:
            if not eventually(lambda g=group: not signal_group(g, 0), _STOP_SECONDS):
                signal_group(group, signal.SIGKILL)
        signal_group(self._process.pid, signal.SIGKILL)
        kill_marked(self._mark)
        self._process.communicate()


@contextmanager
def shell(
    folder: Path, scratch: Path, environment: Mapping[str, str]
) -> Generator[Shell, None, None]:
    """A shell in `folder`; all its processes have ended when the block has.

    Args:
        environment: All variables; that of `MARK` names the shell's own processes.
    """
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-s"],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    opened = Shell(process, scratch, environment[MARK])
    try:
        yield opened
    finally:
        opened.stop()
