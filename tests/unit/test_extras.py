"""parallelizework without its extras: the client works, other parts raise an error."""

import subprocess
import sys

import pytest

from parallelizework.errors import ExtraMissing, extras_named

WORKER = ("hypercorn", "restate")
CLI = ("cyclopts", "platformdirs", "rich")
HIDE = """
import sys

class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden}:
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path = [Hiding(finder) for finder in sys.meta_path]
"""
CLIENT = """
from parallelizework import ParallelizeworkError, Policy
from parallelizework.client import AsyncClient, Client, healthy
print(Client().__class__.__name__)
"""
COMMAND = "from parallelizework.__main__ import main; main()"
NOWHERE = ("--ingress", "http://127.0.0.1:9", "--admin", "http://127.0.0.1:9")


def python(
    code: str, *arguments: str, without: tuple[str, ...]
) -> subprocess.CompletedProcess[str]:
    """Run a program on a Python where some packages are not installed."""
    program = HIDE.replace("{hidden}", repr(without)) + code
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_client_needs_no_extra() -> None:
    ended = python(CLIENT, without=(*WORKER, *CLI))

    assert (ended.stdout, ended.stderr) == ("Client\n", "")


@pytest.mark.parametrize("name", ["FanOut", "app"])
def test_the_error_of_a_name_that_needs_a_worker_names_the_extra(name: str) -> None:
    ended = python(f"from parallelizework import {name}", without=WORKER)

    assert ended.stderr.splitlines()[-1] == (
        "parallelizework.errors.ExtraMissing: the package 'restate' is not "
        "installed: pip install 'parallelizework[worker]'"
    )


@pytest.mark.parametrize(
    ("missing", "extra"), [("cronsim", "schedule"), ("restate", "worker")]
)
def test_schedules_without_their_extra_are_an_error_that_names_the_extra(
    missing: str, extra: str
) -> None:
    ended = python(
        "from parallelizework.schedules import schedules", without=(missing,)
    )

    assert ended.stderr.splitlines()[-1] == (
        f"parallelizework.errors.ExtraMissing: the package '{missing}' is not "
        f"installed: pip install 'parallelizework[{extra}]'"
    )


def test_a_lambda_handler_needs_no_server_and_no_command_line() -> None:
    code = "from parallelizework.aws_lambda import handler; print(handler.__name__)"

    ended = python(code, without=("hypercorn", *CLI))

    assert (ended.stdout, ended.stderr) == ("handler\n", "")


def test_a_lambda_handler_without_its_extra_is_an_error_that_names_the_extra() -> None:
    ended = python("import parallelizework.aws_lambda", without=("restate",))

    assert ended.stderr.splitlines()[-1].endswith(
        "pip install 'parallelizework[lambda]'"
    )


def test_metrics_without_their_extra_are_an_error_that_names_the_extra() -> None:
    code = "from parallelizework.metrics import observe_metrics; observe_metrics()"

    ended = python(code, without=("prometheus_client",))

    assert ended.stderr.endswith("pip install 'parallelizework[metrics]'\n")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_without_the_extra_of_its_metrics_does_not_start(
    monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("PARALLELIZEWORK_METRICS_BIND", "0")
    serve = ("serve", "--bind", "127.0.0.1:0", "--workers", workers)

    ended = python(COMMAND, *serve, without=("prometheus_client",))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "parallelizework: the package 'prometheus_client' is not installed: "
        "pip install 'parallelizework[metrics]'\n"
    )


def test_a_client_of_schedules_needs_no_extra() -> None:
    code = "from parallelizework.client import Schedules; print(Schedules.__name__)"

    ended = python(code, without=(*WORKER, *CLI, "cronsim"))

    assert (ended.stdout, ended.stderr) == ("Schedules\n", "")


def test_the_command_without_its_extra_prints_one_line() -> None:
    ended = python(COMMAND, "list", without=CLI)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "parallelizework: the package 'cyclopts' is not installed: "
        "pip install 'parallelizework[cli]'\n"
    )


@pytest.mark.parametrize("command", ["serve", "dev"])
def test_a_command_that_needs_a_worker_prints_one_line(command: str) -> None:
    ended = python(COMMAND, command, without=WORKER)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.endswith("pip install 'parallelizework[worker]'\n")
    assert ended.stderr.count("\n") == 1


def test_a_command_of_a_client_needs_no_worker() -> None:
    ended = python(COMMAND, "doctor", *NOWHERE, without=WORKER)

    assert "WRONG  ingress" in ended.stdout
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_missing_package_of_no_extra_is_an_error_as_usual() -> None:
    with (
        pytest.raises(ModuleNotFoundError, match="No module named 'nowhere'") as error,
        extras_named(),
    ):
        __import__("nowhere")

    assert not isinstance(error.value, ExtraMissing)
