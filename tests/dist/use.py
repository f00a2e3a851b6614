"""Use the wheel in empty virtual environments: alone, and with each extra."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.dist.processes import (
    ROOT,
    environment,
    install,
    new_environment,
    output,
)
from tests.integration.processes import LONG, Running

README = (ROOT / "README.md").read_text()
FREE = ("--ingress-port", "0", "--admin-port", "0", "--worker-port", "0")
IMPORTS = "from parallelizework import FanOut"
CLIENT = """
import sys
from parallelizework.client import Client
with Client(*sys.argv[1:]) as client:
    print(client.run("Lengths", "three small words"))
"""


def check(wheel: Path, folder: Path) -> None:
    """Install the wheel three times, and have the three work together."""
    alone = _installed(wheel, "", folder / "alone")
    cli = _installed(wheel, "[cli]", folder / "cli")
    worker = _installed(wheel, "[worker]", folder / "worker")
    _check_what_is_missing(alone, cli, folder)
    _check_versions(alone, cli, folder)
    with _dev(worker, folder) as (ingress, admin):
        _check_readme(ingress, folder)
        ran = output(alone, "-c", CLIENT, ingress, admin, cwd=folder)
        _expect(ran, "{'words': 3, 'letters': 15}")
        where = "--ingress", ingress, "--admin", admin
        command = cli.with_name("parallelizework")
        ran = output(
            command, "run", "Lengths", '"three small words"', *where, cwd=folder
        )
        _expect(ran, '{"words": 3, "letters": 15}')
        _expect(output(command, "list", *where, cwd=folder), "Lengths  succeeded")
        _expect(output(command, "doctor", *where, cwd=folder), "ok     calls")


def _installed(wheel: Path, extra: str, folder: Path) -> Path:
    python = new_environment(Path(sys.executable), folder)
    install(python, f"{wheel}{extra}")
    return python


def _check_what_is_missing(alone: Path, cli: Path, folder: Path) -> None:
    remedy = "pip install 'parallelizework[worker]'"
    for python in (alone, cli):
        _expect(output(python, "-c", IMPORTS, cwd=folder, code=1), remedy)
    command = alone.with_name("parallelizework")
    _expect_line(
        output(command, "list", cwd=folder, code=1),
        "pip install 'parallelizework[cli]'",
    )
    for name in ("serve", "dev"):
        command = cli.with_name("parallelizework")
        _expect_line(output(command, name, cwd=folder, code=1), remedy)


def _check_versions(alone: Path, cli: Path, folder: Path) -> None:
    """`pyproject.toml` alone names the version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    code = "from importlib.metadata import version; print(version('parallelizework'))"
    command = cli.with_name("parallelizework")
    for printed in (
        output(alone, "-c", code, cwd=folder),
        output(command, "--version", cwd=folder),
    ):
        _expect_line(printed, version)


@contextmanager
def _dev(worker: Path, folder: Path) -> Generator[tuple[str, str]]:
    """The `parallelizework dev` of the README's first example: ingress and admin."""
    example = _in_readme(r"```python\n(# lengths\.py\n.*?)```")
    (folder / "lengths.py").write_text(example)
    _, *words = shlex.split(_in_readme(r"^\$ (parallelizework dev .*)$"))
    log = folder / "dev.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [worker.with_name("parallelizework"), *words, *FREE],
            cwd=folder,
            env=environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    running = Running(words, process, log)
    try:
        ingress = re.findall(r"http://\S+?(?=/)", running.wait_for("curl"))[0]
        yield ingress, running.wait_for("UI").split()[1]
    except StopIteration:
        sys.exit(f"parallelizework dev ended:\n{running.output}")
    finally:
        process.terminate()
        process.wait(LONG)


def _check_readme(ingress: str, folder: Path) -> None:
    """The README's first call returns the result that the README shows."""
    call = r"^\$ (curl \S*localhost:8080/Lengths/run .*)\n"
    words = shlex.split(_in_readme(call))
    words = [re.sub(r"(http://)?localhost:8080", ingress, word) for word in words]
    printed = output(words[0], "--silent", "--fail-with-body", *words[1:], cwd=folder)
    _expect(printed, _in_readme(call.replace("(", "(?:") + "(.*)$"))


def _in_readme(pattern: str) -> str:
    flags = re.MULTILINE | (re.DOTALL if "```" in pattern else re.NOFLAG)
    found = re.search(pattern, README, flags)
    if not found:
        sys.exit(f"README.md has nothing like {pattern}")
    return found[1]


def _expect(printed: str, expected: str) -> None:
    if expected not in printed:
        sys.exit(f"{expected!r} is not in it")


def _expect_line(printed: str, expected: str) -> None:
    _expect(printed, expected)
    if printed.count("\n") != 1:
        sys.exit("it is not one line")
