"""`Shell`: one bash process that runs the commands of a page one by one."""

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

_COMMAND_SECONDS = 120.0  # only a command that hangs reaches this limit
_STOP_SECONDS = 30.0  # before a kill


class ShellError(Exception):
    """A command has not ended in time, or the shell has ended."""


@dataclass(frozen=True)
class Started:
    """A command that runs in the background."""

    group: int
    log: Path

    @property
    def output(self) -> str:
        """The output so far."""
        return self.log.read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        """Whether all processes of the command have ended."""
        return not signal_group(self.group, 0)


class Shell:
    """A bash process. The output of its commands is in files in `scratch`."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", scratch: Path, mark: str
    ) -> None:
        self._process = process
        self._scratch = scratch
        self._mark = mark
        self._count = 0
        self.started: list[Started] = []
        self._type("exec 9>&1 >/dev/null")  # descriptor 9: the responses of bash

    def run(self, text: str) -> tuple[int, str]:
        """Run a command; return its exit code and its output.

        Raises:
            ShellError: The command does not end.
        """
        file, log = self._files(text)
        self._type(f'eval "$(cat {file})" </dev/null >{log} 2>&1; echo $? >&9')
        try:
            code = int(self._response())
        except ShellError as error:
            raise ShellError(f"{error}\n{log.read_text(errors='replace')}") from None
        return code, log.read_text(errors="replace")

    def start(self, text: str) -> Started:
        """Start a command in the background, in a separate process group."""
        file, log = self._files(f"exec env {text}")
        self._type("set -m")
        self._type(f'(eval "$(cat {file})") </dev/null >{log} 2>&1 9>&- &')
        self._type("set +m; echo $! >&9")
        started = Started(int(self._response()), log)
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

    def _response(self) -> str:
        """Return the next response of bash."""
        assert self._process.stdout
        deadline, response = time.monotonic() + _COMMAND_SECONDS, b""
        while not response.endswith(b"\n"):
            seconds = deadline - time.monotonic()
            stream = self._process.stdout.fileno()
            if seconds < 0 or not select.select([stream], [], [], seconds)[0]:
                raise ShellError(
                    f"the command has not ended within {_COMMAND_SECONDS:.0f} s"
                )
            byte = os.read(stream, 1)
            if not byte:
                raise ShellError("the shell has ended")
            response += byte
        return response.decode()

    def stop(self) -> None:
        """Stop all commands that were started, and their remaining processes."""
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
    """Open a shell in `folder`. All its processes end with the block.

    Args:
        environment: All variables. The variable `MARK` marks the processes.
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
