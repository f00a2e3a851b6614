"""Restate's programs on this machine: find them, or install them from npm."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

from platformdirs import user_cache_path

from parallelizework.errors import ServerNotFound

_INSTALL_SECONDS = 600
_NPM = files("parallelizework.local").joinpath("npm")
RESTATE_VERSION: str = json.loads(_NPM.joinpath("package.json").read_text())[
    "dependencies"
]["@restatedev/restate-server"]


def find(program: str, explicit: Path | None = None) -> Path:
    """The path of `restate-server` or of `restate`, Restate's CLI.

    Without `explicit`, the program is searched on PATH, then in the `node_modules` of
    the current folder and of the folders above it, then in the user's cache folder. A
    program that is not found is installed from npm into the cache folder.

    Raises:
        ServerNotFound: The program is not found and cannot be installed.
    """
    if explicit:
        if not (explicit.is_file() and os.access(explicit, os.X_OK)):
            raise ServerNotFound(
                f"{explicit} is not an executable program: correct "
                "PARALLELIZEWORK_RESTATE_SERVER"
            )
        return explicit
    return next(_candidates(program), None) or _install(program)


def _candidates(program: str) -> Iterator[Path]:
    on_path = shutil.which(program)
    if on_path:
        yield _native(program, Path(on_path).resolve())
    for folder in (Path.cwd(), *Path.cwd().parents, _cache()):
        yield from _in_npm(program, folder)


def _native(program: str, found: Path) -> Path:
    """The program that npm's wrapper starts: signals must reach the server itself."""
    for folder in found.parents if found.suffix == ".js" else ():
        if folder.name == "node_modules":
            return next(_in_npm(program, folder.parent), found)
    return found


def _in_npm(program: str, folder: Path) -> Iterator[Path]:
    packages = folder / "node_modules" / "@restatedev"
    return packages.glob(f"{program}-*/bin/{program}")


def _cache() -> Path:
    return user_cache_path("parallelizework") / f"restate-{RESTATE_VERSION}"


def _install(program: str) -> Path:
    npm = shutil.which("npm") or shutil.which("npm", path=Path(sys.executable).parent)
    if npm is None:
        raise ServerNotFound(_WAYS.format(program=program, version=RESTATE_VERSION))
    _cache().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_cache().parent) as folder:
        _npm_ci(npm, Path(folder))
        if not any(_in_npm(program, Path(folder))):
            raise ServerNotFound(
                f"npm installed no {program}: npm has none for this machine, or it is "
                "configured to omit optional packages"
            )
        _move(Path(folder), _cache())
    return next(_in_npm(program, _cache()))


def _npm_ci(npm: str, folder: Path) -> None:
    print(f"installing Restate {RESTATE_VERSION} with {npm}", file=sys.stderr)
    with as_file(_NPM) as npm_files:
        shutil.copytree(npm_files, folder, dirs_exist_ok=True)
    path = os.pathsep.join([str(Path(npm).parent), os.environ.get("PATH", os.defpath)])
    try:
        installed = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        text = f"npm did not install Restate within {_INSTALL_SECONDS} s"
        raise ServerNotFound(text) from error
    if installed.returncode != 0:
        reason = (installed.stderr or installed.stdout).strip()
        raise ServerNotFound(f"npm could not install Restate: {reason}")


def _move(folder: Path, target: Path) -> None:
    """Move `node_modules` in one step; an existing copy is kept."""
    try:
        folder.joinpath("node_modules").rename(target / "node_modules")
    except FileNotFoundError:
        target.mkdir(exist_ok=True)
        _move(folder, target)
    except OSError:  # another process was faster
        if not target.joinpath("node_modules").is_dir():
            raise


_WAYS = """\
{program} is not installed, and npm is not installed either. Use one of these:
  pip install 'parallelizework[local]'       installs npm with pip
  npm install --global @restatedev/{program}@{version}
  PARALLELIZEWORK_RESTATE_SERVER=/path/to/restate-server
  docker compose up                          runs server and worker in containers"""
