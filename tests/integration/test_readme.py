"""The README does what it says: its code and its commands, as they stand there."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from parallelizework.client import healthy
from parallelizework.local.binaries import find

from .conftest import Server
from .processes import LONG, eventually, running
from .test_dev import FREE

pytestmark = pytest.mark.once

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
COMMANDS = [line[2:] for b in BLOCKS for line in b.splitlines() if line[:2] == "$ "]
RUN_ELSEWHERE = {"make demo": ".ci/run", "make test": ".ci/run"}
SECTION = README.partition("## From the command line")[2].partition("\n## ")[0]
SESSION = [line[2:] for line in SECTION.splitlines() if line[:2] == "$ "]


def command(start: str) -> list[str]:
    """The README's command that begins so, as words."""
    return shlex.split(next(c for c in COMMANDS if c.startswith(start)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the README's first example in it."""
    example = re.search(r"```python\n# lengths.py\n(.*?)```", README, re.DOTALL)
    assert example
    assert len([line for line in example[1].splitlines() if line]) <= 15
    (tmp_path / "lengths.py").write_text(example[1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def local(folder: Path) -> Iterator[tuple[str, str]]:
    """What `dev` of the README starts, on free ports: ingress and admin."""
    words = command("parallelizework dev")
    with running(*words[1:], *FREE) as dev:
        ingress = dev.wait_for("curl").split()[2].removesuffix("/Lengths/run")
        yield ingress, dev.wait_for("UI").split()[1]


def ask(words: list[str], ingress: str) -> str:
    there = [word.replace("localhost:8080", ingress) for word in words]
    there = ["curl", "--silent", "--fail-with-body", *there[1:]]
    return subprocess.run(there, check=True, capture_output=True, text=True).stdout


def test_the_first_example_answers_as_shown(local: tuple[str, str]) -> None:
    shown = re.search(r"--json '\"three small words\"'\n(.*)\n", README)
    assert shown

    assert ask(command("curl localhost:8080/Lengths/run --json"), local[0]) == shown[1]


def test_the_commands_of_restate_work_as_shown(local: tuple[str, str]) -> None:
    ingress, admin = local
    sent = ask(command("curl localhost:8080/restate/send"), ingress)
    once = [
        ask(command("curl localhost:8080/Lengths/run -H"), ingress) for _ in range(2)
    ]
    listed = subprocess.run(
        [find("restate"), *command("restate invocations")[1:]],
        env={"RESTATE_ADMIN_URL": admin},
        check=True,
        capture_output=True,
        text=True,
    )

    assert '"status":"Accepted"' in sent
    assert once == ['{"words": 2, "letters": 8}'] * 2
    assert "Lengths" in listed.stdout


def test_serve_and_register_work_as_shown(local: tuple[str, str], folder: Path) -> None:
    words = command("parallelizework serve")
    bind = words[words.index("--bind") + 1]
    register = [find("restate"), "--yes", *command("restate deployments")[1:]]
    with running(*words[1:]):
        eventually(lambda: healthy(f"http://{bind}/health"))
        environment = {"RESTATE_ADMIN_URL": local[1]}
        subprocess.run(register, env=environment, check=True, capture_output=True)
        answer = httpx.post(f"{local[0]}/Lengths/run", json="a bc", timeout=LONG)

    assert answer.json() == {"words": 2, "letters": 3}


def test_the_session_on_the_command_line_works_as_shown(tmp_path: Path) -> None:
    start, *session = SESSION
    with running(*shlex.split(start)[1:], *FREE) as dev:
        ingress = dev.wait_for("curl").split()[2].removesuffix("/WordCount/run")
        said = subprocess.run(
            ["sh", "-e", "-x", "-c", "\n".join(session)],
            env=_at(ingress, dev.wait_for("UI").split()[1]),
            cwd=tmp_path,
            timeout=LONG,
            check=False,
            capture_output=True,
            text=True,
        )

    assert said.returncode == 0, said.stderr
    assert said.stdout.count('"files": ') == 2
    assert "is being cancelled" in said.stderr
    assert said.stdout.count("WordCount  succeeded ") == 2
    assert "ok     calls" in said.stdout


def test_the_python_client_works_as_shown(local: tuple[str, str], folder: Path) -> None:
    section = README.partition("## From Python")[2]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code

    said = subprocess.run(
        [sys.executable, "-c", code[1]],
        env=_at(*local),
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )

    assert said.stdout.splitlines()[1] == "{'words': 3, 'letters': 15}"


def _at(ingress: str, admin: str) -> dict[str, str]:
    """An environment in which `parallelizework` is there, and speaks to this server."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PARALLELIZEWORK_INGRESS_URL": ingress,
        "PARALLELIZEWORK_ADMIN_URL": admin,
    }


def test_requests_in_bulk_are_answered_as_shown(folder: Path) -> None:
    subprocess.run(next(c for c in COMMANDS if "users/1" in c), shell=True, check=True)
    variable, _, *dev = command("PARALLELIZEWORK_HTTP_ALLOWED_HOSTS")
    shown = next(line for line in README.splitlines() if line.startswith('{"respons'))
    with (
        listening(command("python3 -m http.server")) as port,
        running(*dev, *FREE, environment=dict([variable.split("=")])) as local,
    ):
        ingress = local.wait_for("curl").split()[2].removesuffix("/HttpFanOut/run")
        words = command("curl localhost:8080/HttpFanOut")
        answer = ask([word.replace(":8000", f":{port}") for word in words], ingress)

    assert stable(answer) == stable(shown.replace(":8000", f":{port}"))


@contextmanager
def listening(words: list[str]) -> Generator[int]:
    """Python's web server as the README starts it, on a free port."""
    position = words.index("8000")
    process = subprocess.Popen(
        [sys.executable, "-u", *words[1:position], "0", *words[position + 1 :]],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    with process.stdout as output:
        try:
            yield int(output.readline().split("port ")[1].split()[0])
        finally:
            process.terminate()
            process.wait(LONG)


def stable(answer: str) -> object:
    """An answer without what differs from time to time."""
    result = json.loads(answer)
    for response in result["responses"]:
        assert response.pop("elapsed_ms") > 0
    for failure in result["failures"]:
        failure["message"] = failure["message"].partition("Not Found: ")[:2]
    return result


def test_a_request_may_say_when_its_run_ends(server: Server) -> None:
    ingress = server.ingress.removeprefix("http://")

    answer = ask(command("curl localhost:8080/FanOutWorker/run"), ingress)

    assert answer in [f'{{"description": "{name}: DONE"}}' for name in "abc"]


def test_progress_is_shown_with_the_fields_of_the_readme(server: Server) -> None:
    shown = next(line for line in README.splitlines() if line.startswith('{"succeeded'))
    run = server.send("Squares", 3)["invocationId"]
    server.attach(run)
    words = command("curl localhost:8080/FanOutProgress")
    words = [re.sub("inv_[^/]*", run, word) for word in words]
    ingress = server.ingress.removeprefix("http://")

    def answered() -> bool:
        try:
            return list(json.loads(ask(words, ingress))) == list(json.loads(shown))
        except subprocess.CalledProcessError:
            return False  # not yet

    eventually(answered)


def test_every_command_is_run_somewhere() -> None:
    run_here = [
        "PARALLELIZEWORK_HTTP_ALLOWED_HOSTS=127.0.0.1 parallelizework dev",
        "mkdir -p users",
        "parallelizework dev",
        "parallelizework serve",
        "python3 -m http.server",
        "curl localhost:8080/FanOutProgress",
        "curl localhost:8080/FanOutWorker/run",
        "curl localhost:8080/HttpFanOut/run",
        "curl localhost:8080/Lengths/run",
        "curl localhost:8080/restate/send",
        "restate invocations list",
        "restate deployments register",
    ]
    script = (Path(__file__).parents[2] / ".ci" / "run").read_text()
    for words in COMMANDS:
        if words in SESSION:
            continue
        if words in RUN_ELSEWHERE:
            assert words in script
        else:
            assert any(words.startswith(start) for start in run_here), words
