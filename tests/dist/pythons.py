"""`make test-pythons`: the unit tests and the demo on each Python that is here.

A Python is found by its name on the PATH (`python3.12`), or among those that pyenv has.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.dist.processes import ROOT, environment, install, new_environment, run

FOLDER = ROOT / ".pythons"
CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")


def main() -> None:
    """Test on each Python that the classifiers name; say which are missing."""
    found = {version: _python(version) for version in _versions()}
    for version, python in found.items():
        if python:
            print(f"\n== Python {version} ==", flush=True)
            _test(python, FOLDER / version)
    passed = [version for version, python in found.items() if python]
    missing = [version for version, python in found.items() if not python]
    print(f"\npassed on Python {', '.join(passed)}")
    print(f"not on this machine: {', '.join(missing) or 'none'}")


def _versions() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    matches = map(CLASSIFIER.fullmatch, project["classifiers"])
    return [match[1] for match in matches if match]


def _python(version: str) -> Path | None:
    return next(filter(lambda each: _is(each, version), _candidates(version)), None)


def _candidates(version: str) -> Iterator[Path]:
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    if shutil.which("pyenv"):
        root = subprocess.run(
            ["pyenv", "root"], capture_output=True, text=True, check=True
        )
        versions = Path(root.stdout.strip()) / "versions"
        yield from sorted(versions.glob(f"{version}.*/bin/python"), reverse=True)


def _is(python: Path, version: str) -> bool:
    """Whether a program is that Python: a shim of pyenv may be none."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    output = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=False
    )
    return output.stdout.strip() == version


def _test(python: Path, folder: Path) -> None:
    python = _prepared(python, folder)
    parallel = "--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile"
    pytest = python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *parallel
    run(*pytest, "tests/unit")
    run(python, "examples/demo.py")


def _prepared(python: Path, folder: Path) -> Path:
    """A virtual environment with what `.venv` has, made anew when that changes."""
    requirements = ROOT / "requirements-dev.txt"
    made_of = folder / "made-of.txt"
    inputs = requirements.read_text() + (ROOT / "pyproject.toml").read_text()
    if made_of.is_file() and made_of.read_text() == inputs:
        return folder / "bin" / "python"
    shutil.rmtree(folder, ignore_errors=True)
    new = new_environment(python, folder)
    install(new, "--require-hashes", "-r", requirements)
    # The build backend is a program that pip must find on the PATH.
    path = f"PATH={new.parent}:{environment()['PATH']}"
    pip = new, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"
    run("env", path, *pip, "--editable", ROOT)
    made_of.write_text(inputs)
    return new


if __name__ == "__main__":
    sys.exit(main())
