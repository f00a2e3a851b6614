"""Processes of the checks of the package: each prints what it runs."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tool(name: str) -> Path:
    """A program of the virtual environment that runs this."""
    return Path(sys.executable).parent / name


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command; end this program if it fails."""
    words = [str(word) for word in command]
    print(f"$ {shlex.join(words)}", flush=True)
    if subprocess.run(words, cwd=cwd, env=environment(), check=False).returncode:
        sys.exit(f"failed: {shlex.join(words)}")


def output(*command: str | Path, cwd: Path, code: int = 0) -> str:
    """Run a command, check its exit code, and return its output."""
    words = [str(word) for word in command]
    print(f"$ {shlex.join(words)}", flush=True)
    ended = subprocess.run(
        words,
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(ended.stdout, flush=True)
    if ended.returncode != code:
        sys.exit(f"exit code {ended.returncode}, not {code}: {shlex.join(words)}")
    return ended.stdout


def environment() -> Mapping[str, str]:
    """The variables of this process, without those that change what Python imports."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PARALLELIZEWORK_")
    return {
        name: value for name, value in os.environ.items() if not name.startswith(hidden)
    }


def new_environment(python: Path, folder: Path) -> Path:
    """A virtual environment with pip alone; the path of its Python."""
    run(python, "-m", "venv", folder)
    return folder / "bin" / "python"


def install(python: Path, *arguments: str | Path) -> None:
    """Install with the pip of a virtual environment."""
    quiet = "--quiet", "--disable-pip-version-check"
    run(python, "-m", "pip", "install", *quiet, *arguments)
