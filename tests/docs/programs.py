"""The programs on the PATH of a page."""

import shutil
import sys
from pathlib import Path

from parallelizework.local.binaries import find

from .processes import MARK

CURL_OPTIONS = "CURL_OPTIONS"  # an environment variable: more options for curl

_RESTATE = """\
#!/bin/sh
# A reader confirms on a terminal. A test cannot, so --yes confirms.
exec '{restate}' --yes "$@"
"""

_CURL = """\
#!/bin/sh
# On a terminal, curl shows no progress when it prints a response.
exec '{curl}' --no-progress-meter ${variable} "$@"
"""

# A page may kill its worker by a name. This pkill kills only processes of the page.
_PKILL = """\
#!{python}
import os, signal, subprocess, sys
from pathlib import Path

sent = signal.SIGTERM
words = []
for word in sys.argv[1:]:
    name = word.removeprefix("-").removeprefix("SIG")
    if word.startswith("-") and name.isdigit():
        sent = signal.Signals(int(name))
    elif word.startswith("-") and f"SIG{{name}}" in signal.Signals.__members__:
        sent = signal.Signals[f"SIG{{name}}"]
    else:
        words.append(word)
done = subprocess.run(["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "pgrep", *words],
                      capture_output=True, text=True)
mark = f"{mark}={{os.environ['{mark}']}}\\0".encode()
killed = False
for pid in map(int, done.stdout.split()):
    try:
        ours = mark in Path(f"/proc/{{pid}}/environ").read_bytes()
    except OSError:
        ours = False
    if ours and pid not in (os.getpid(), os.getppid()):
        os.kill(pid, sent)
        killed = True
sys.exit(0 if killed else 1)
"""


def install(folder: Path) -> str:
    """Write the programs into a folder; return a PATH that begins with the folder."""
    folder.mkdir()
    curl = shutil.which("curl")
    assert curl, "the pages need curl"
    texts = {
        "curl": _CURL.format(curl=curl, variable=CURL_OPTIONS),
        "restate": _RESTATE.format(restate=find("restate")),
        "pkill": _PKILL.format(python=sys.executable, mark=MARK),
    }
    for name, text in texts.items():
        folder.joinpath(name).write_text(text)
        folder.joinpath(name).chmod(0o755)
    return f"{folder}:{Path(sys.executable).parent}"
