"""Check that wheel and sdist contain only the package and its license."""

import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

from tests.dist.processes import ROOT

PACKAGE = ROOT / "parallelizework"
METADATA = {  # of the sdist
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "pyproject.toml",
    "pyproject.toml.orig",  # uv writes it
}


def check(wheel: Path, sdist: Path) -> None:
    """End the program if something is missing, or should not be there."""
    expected = {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        info = next(name for name in names if name.endswith("dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(info))
    folder = info.removesuffix("METADATA")
    _same("wheel", {name for name in names if not name.startswith(folder)}, expected)
    _has("wheel", names, f"{folder}licenses/LICENSE", "parallelizework/py.typed")
    with tarfile.open(sdist) as archive:
        members = {member.name for member in archive if member.isfile()}
    files = {name.partition("/")[2] for name in members}
    _same("sdist", files - METADATA, expected)
    _has("sdist", files, "LICENSE", "README.md", "pyproject.toml")
    print(f"{len(expected)} files, license {metadata['License-Expression']}")


def _same(what: str, found: set[str], expected: set[str]) -> None:
    if found != expected:
        missing, extra = sorted(expected - found), sorted(found - expected)
        sys.exit(f"the {what} lacks {missing} and has {extra} in addition")


def _has(what: str, found: set[str], *names: str) -> None:
    if not found.issuperset(names):
        sys.exit(f"the {what} lacks {sorted(set(names) - found)}")
