"""Record a terminal session as a picture: real commands on a real server.

`make recording` writes it to examples/recording.svg, which the README shows.
"""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports

HERE = Path(__file__).parent
WIDTH = 100  # columns
TASK = {
    "folder": sysconfig.get_path("stdlib"),
    "glob": "**/*.py",
    "exclude": ["site-packages"],
}
_MOVES = re.compile(r"\x1b\[(\?25[lh]|\d?[AK]|2K)")  # cursor movements, not colors
_FONTS = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)  # the URLs of fonts
_HALF = re.compile(r" (4\d|5\d)%")


def main() -> None:
    """Run the session and write the picture."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    fan_out = f"{HERE / 'wordcount.py'}:wordcount"
    with (
        tempfile.TemporaryDirectory() as folder,
        local([fan_out], ports=Ports(0, 0, 0)) as server,
    ):
        (Path(folder) / "stdlib.json").write_text(json.dumps(TASK))
        os.chdir(folder)
        environment = {
            **os.environ,
            "PARALLELIZEWORK_INGRESS_URL": server.ingress,
            "PARALLELIZEWORK_ADMIN_URL": server.admin,
            "TERM": "xterm-256color",
            "COLUMNS": str(WIDTH),
        }
        _record(console, environment)
    svg = console.export_svg(
        title="parallelizework",
        code_format=_FONTS.sub("", CONSOLE_SVG_FORMAT),
        unique_id="recording",
    )
    (HERE / "recording.svg").write_text(svg)


def _record(console: Console, environment: Mapping[str, str]) -> None:
    task = ["run", "WordCount", "@stdlib.json"]
    shown = _run_on_terminal(console, task, environment, interrupt=_HALF)
    found = re.search(r"inv_\w+", shown)
    if not found:
        sys.exit(f"there is no run in {shown!r}")
    for command in (["watch", found[0]], ["result", found[0]], ["list"]):
        _run_on_terminal(console, command, environment)


def _run_on_terminal(
    console: Console,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    interrupt: re.Pattern[str] | None = None,
) -> str:
    """Run one command on a terminal; press Ctrl-C when `interrupt` is seen."""
    console.print(Text(f"$ parallelizework {shlex.join(arguments)}", style="bold"))
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "parallelizework", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    output = b""
    with suppress(OSError):  # the other end of the terminal is closed
        while data := os.read(terminal, 65536):
            output += data
            if interrupt and interrupt.search(output.decode(errors="replace")):
                process.send_signal(signal.SIGINT)
                interrupt = None
    os.close(terminal)
    process.wait(60)
    if interrupt:
        sys.exit(f"{interrupt.pattern!r} was not seen, so Ctrl-C was not pressed")
    shown = _final_screen(output.decode())
    console.print(Text.from_ansi(shown))
    return shown


def _final_screen(output: str) -> str:
    """Return the final text of the screen, without text that was overwritten."""
    lines = (_MOVES.sub("", line).rstrip("\r") for line in output.split("\n"))
    return "\n".join(line.rpartition("\r")[2] for line in lines).strip()


if __name__ == "__main__":
    main()
