"""The pytest plugin of `parallelizework.testing`, and what its `serve` can serve."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from parallelizework.errors import TargetError
from parallelizework.testing import Serve
from parallelizework.testing.workers import target_of

from .conftest import ROOT
from .fan_outs import shards, values
from .processes import LONG

pytest_plugins = ["parallelizework.testing.plugin"]

DOCS = (ROOT / "docs" / "how-to" / "test-a-fan-out.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", DOCS, re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of the documentation."""
    for name, text in FILES.items():
        tmp_path.joinpath(name).write_text(text)
    return tmp_path


def pytest_in(folder: Path, *arguments: str) -> str:
    """Run pytest, and return its output."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        timeout=LONG,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_test_of_a_crash_passes_in_import_mode_importlib(folder: Path) -> None:
    assert "1 passed" in pytest_in(folder, "test_crash.py", "--import-mode=importlib")


def test_the_plugin_imports_nothing_before_a_fixture_is_used(
    tmp_path: Path,
) -> None:
    tmp_path.joinpath("test_alone.py").write_text(
        "import sys\n\n\ndef test_alone() -> None:\n"
        "    assert not {'restate', 'parallelizework'} & sys.modules.keys()\n"
    )

    assert "1 passed" in pytest_in(tmp_path)


def test_a_module_in_a_package_is_served_by_its_name() -> None:
    assert target_of(values.lines) == "tests.integration.fan_outs.values:lines"


def test_an_object_without_a_name_in_a_module_cannot_be_served() -> None:
    with pytest.raises(TargetError, match="define it at the top level"):
        target_of(values.lines.service)


def test_serve_replaces_a_worker_and_returns_the_same_client(serve: Serve) -> None:
    first = serve(values.lines)
    serve(values.lines, shards.combined)
    serve.kill()

    again = serve(values.lines)

    assert again is first
    assert again.run(values.lines, ["a", "b"]) == ["A", "B"]
