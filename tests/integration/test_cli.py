"""The command line, as processes on a real server: run, follow, steer, doctor."""

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports
from parallelizework.local.worker import serve

from .conftest import Server
from .fan_outs.ledger import repair
from .processes import COMMAND, LONG, Running, eventually, patiently, running
from .test_client import NO_RUN, NOWHERE
from .test_dev import FAN_OUTS

pytestmark = pytest.mark.once

Completed = subprocess.CompletedProcess[str]
Command = Callable[..., Completed]


def addresses(server: Server) -> dict[str, str]:
    return {
        "PARALLELIZEWORK_INGRESS_URL": server.ingress,
        "PARALLELIZEWORK_ADMIN_URL": server.admin,
    }


@pytest.fixture
def command(server: Server) -> Command:
    """Run a command to its end."""

    def run(*arguments: str, text: str | None = None) -> Completed:
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**os.environ, **addresses(server)},
            input=text,
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )

    return run


def never(key: str) -> list[str]:
    """A run that only ends when it is cancelled."""
    return ["run", "NeverEnding", json.dumps({"key": key})]


@contextmanager
def following(server: Server, *arguments: str) -> Generator[Running, None, None]:
    """A command that shows the progress of such a run."""
    with running(*arguments, environment=addresses(server)) as process:
        process.wait_for("running: 0 of 3")
        yield process


def one_line(completed: Completed) -> bool:
    starts = completed.stderr.startswith("parallelizework: ")
    return starts and completed.stderr.count("\n") == 1 and not completed.stdout


def test_run_prints_the_result_and_nothing_else_on_stdout(command: Command) -> None:
    completed = command("run", "Squares", "3")

    assert (completed.returncode, completed.stdout) == (0, "[0, 1, 4]\n")
    assert completed.stderr.startswith("Squares inv_")
    assert "succeeded: 3 of 3 succeeded\n" in completed.stderr
    assert "\x1b" not in completed.stderr


def test_a_failed_run_exits_with_1_and_failures_lists_the_failed_subtasks(
    command: Command,
) -> None:
    completed = command("run", "Refusing", "4", "--json")
    answer = json.loads(completed.stdout)
    failures = command("failures", answer["run"])
    as_json = json.loads(command("failures", answer["run"], "--json").stdout)

    assert completed.returncode == 1
    assert (answer["state"], answer["status"]) == ("failed", 404)
    *_, error, remedy = completed.stderr.splitlines()
    assert error.endswith(f"404: {answer['error']}")
    assert remedy == (
        f"`parallelizework redrive {answer['run']}` executes what has no value"
    )
    assert "Traceback" not in completed.stderr
    assert ["2", "failed", "no", "such", "number", "2"] in [
        line.split() for line in failures.stdout.splitlines()
    ]
    assert {"index": 2, "code": 404}.items() <= as_json[-1].items()


def test_a_task_is_read_from_a_file_or_stdin(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "task.json"
    file.write_text('{"description": "a,b"}')

    from_file = command("run", "FanOutWorker", f"@{file}")
    from_stdin = command("run", "FanOutWorker", "-", text=file.read_text())

    assert from_file.stdout == '{"description": "a: DONE,b: DONE"}\n'
    assert from_stdin.stdout == from_file.stdout


def test_each_line_of_stdin_becomes_an_item_of_the_task(command: Command) -> None:
    completed = command("run", "Lines", "--from-lines", "-", text="a.log\nb c.log\n")

    assert completed.stdout == '["A.LOG", "B C.LOG"]\n'


def test_json_output_has_the_run_its_state_and_its_result(command: Command) -> None:
    completed = json.loads(command("run", "Squares", "3", "--json").stdout)
    result = json.loads(command("result", completed["run"], "--json").stdout)

    assert completed["state"] == "succeeded"
    assert completed["result"] == [0, 1, 4]
    assert result == completed


def test_the_same_key_returns_the_same_run(command: Command, key: str) -> None:
    options = ["--detach", "--idempotency-key", key]
    runs = [command("run", "Squares", "3", *options).stdout for _ in range(2)]

    assert runs[0] == runs[1]
    assert command("result", runs[0].strip()).stdout == "[0, 1, 4]\n"


def test_a_delayed_run_does_not_start_before_its_delay(command: Command) -> None:
    def early(seconds: float) -> tuple[str, Completed]:
        delay = ["--delay", f"{3 * seconds}s", "--detach"]
        run = command("run", "Squares", "3", *delay).stdout.strip()
        return run, command("result", run, "--timeout", "0s")

    run, completed = patiently(early, lambda known: known[1].returncode == 1)

    assert (completed.returncode, completed.stdout) == (1, "")
    assert "has not ended yet" in completed.stderr
    assert command("result", run).stdout == "[0, 1, 4]\n"


def test_wait_returns_the_result_in_time_or_else_the_run(
    command: Command, key: str
) -> None:
    in_time = command("run", "Squares", "3", "--wait", "30s")
    late = command(*never(key), "--wait", "0.5")
    run = late.stdout.strip()

    assert in_time.stdout == "[0, 1, 4]\n"
    assert late.returncode == 0
    assert f"parallelizework result {run}" in late.stderr
    assert command("cancel", run).returncode == 0


def test_a_timeout_fails_the_command_but_not_the_run(
    command: Command, key: str
) -> None:
    completed = command(*never(key), "--timeout", "0.5s")
    run = completed.stderr.split()[1]

    assert (completed.returncode, completed.stdout) == (1, "")
    assert command("cancel", run).returncode == 0


def test_ctrl_c_detaches_and_prints_the_command_to_follow_the_run(
    server: Server, command: Command, key: str
) -> None:
    with following(server, *never(key)) as process:
        run = process.output.split()[1]
        process.process.send_signal(signal.SIGINT)

        assert process.ended() == 130
        assert f"  parallelizework watch {run}\n" in process.output
    with following(server, "watch", run) as watch:
        command("cancel", run)

        assert watch.ended() == 1
        assert watch.output.endswith(f"{run} was cancelled\n")
        assert "cancelled: 0 of 3 succeeded, 3 cancelled" in watch.output


def test_another_process_cancels_a_run(
    server: Server, command: Command, key: str
) -> None:
    with following(server, *never(key)) as process:
        run = process.output.split()[1]
        completed = command("cancel", run)

        assert completed.returncode == 0
        assert process.ended() == 1
        assert f"parallelizework: {run} was cancelled\n" in process.output
    again = command("cancel", run)
    assert again.returncode == 1
    assert "already completed" in again.stderr


def test_list_shows_the_recent_runs(command: Command, key: str) -> None:
    run = command(*never(key), "--detach").stdout.strip()

    listed = json.loads(command("list", "--json", "--limit", "1").stdout)
    table = command("list").stdout.splitlines()

    assert [each["run"] for each in listed] == [run]
    assert listed[0]["state"] in ("starting", "running")
    assert table[0].split() == ["RUN", "FAN-OUT", "STATE", "PROGRESS", "AGE"]
    assert table[1].startswith(f"{run}  NeverEnding")
    command("cancel", run)


@pytest.mark.parametrize(
    ("arguments", "mistake", "code"),
    [
        (["run", "Sqares", "3"], "did you mean Squares", 1),
        (["run", "Squares", "3", "--ingress", NOWHERE], NOWHERE, 1),
        (["result", NO_RUN], "has no run", 1),
        (["watch", "nonsense"], "'nonsense' is not the id of a run", 1),
        (["cancel", NO_RUN], "has no run", 1),
        (["register", NOWHERE], "was not registered", 1),
        (["register", "127.0.0.1:9080"], "write http://127.0.0.1:9080", 2),
        (["run", "Squares", "three"], "the task is not JSON", 2),
        (["run", "Squares"], "the task is missing", 2),
        (["run", "Squares", "3", "--delay", "soon"], "'soon' is not a duration", 2),
        (["rnu"], "rnu", 2),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    command: Command, arguments: Sequence[str], mistake: str, code: int
) -> None:
    completed = command(*arguments)

    assert one_line(completed), completed
    assert mistake in completed.stderr
    assert completed.returncode == code


def test_doctor_reports_no_problem_on_a_healthy_server(command: Command) -> None:
    completed = command("doctor")

    assert completed.returncode == 0, completed.stdout
    for word in ("ingress", "admin", "fan-outs", "protocol", "calls"):
        assert f"ok     {word} " in completed.stdout
    assert "Squares" in completed.stdout


def test_a_progress_bar_is_shown_on_a_terminal(server: Server, key: str) -> None:
    shown, slave = pty.openpty()
    task = json.dumps({"key": key, "count": 2, "free": 2})
    process = subprocess.Popen(
        [*COMMAND, "run", "Stepping", task],
        env={**os.environ, **addresses(server), "TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)

    server.repair(key)
    drawn = _until(shown, "running: 1 of 2 succeeded, 50%")
    server.repair(key)
    drawn += _all_of(shown)
    result, _ = process.communicate(timeout=LONG)

    assert result == b"[0, 1]\n"
    assert "━" in drawn
    assert re.search(r"elapsed \d+:\d\d", drawn)
    assert "succeeded: 2 of 2 succeeded" in drawn.rpartition("\r")[0]


def test_the_help_is_shown_without_a_server() -> None:
    with running("--help") as completed:
        assert completed.ended() == 0
        for word in ("run", "watch", "doctor", "--install-completion", "Exit codes"):
            assert word in completed.output


def test_completion_is_installed_for_a_shell(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "SHELL": "/bin/bash"}
    options = ["--install-completion", "--shell", "bash"]
    with running(*options, environment=environment) as completed:
        assert completed.ended() == 0, completed.output

    installed = [path for path in tmp_path.rglob("parallelizework") if path.is_file()]
    assert "failures" in installed[0].read_text()


def test_doctor_prints_the_command_to_start_a_missing_server() -> None:
    with running("doctor", "--ingress", NOWHERE, "--admin", NOWHERE) as completed:
        assert completed.ended() == 1
        assert f"WRONG  ingress      no restate-server answers at {NOWHERE}" in (
            completed.output
        )
        assert "start one with `parallelizework dev`" in completed.output


def test_doctor_reports_a_worker_that_does_not_answer() -> None:
    with local([f"{FAN_OUTS}.values:squares"], ports=Ports(0, 0, 0)) as started:
        worker = started.processes[1]
        worker.terminate()
        worker.wait(LONG)
        where = ["--ingress", started.ingress, "--admin", started.admin]

        with running("doctor", *where) as completed:
            assert completed.ended() == 1
            port = started.worker.rpartition(":")[2]
            assert "WRONG  worker" in completed.output
            assert f"serve MODULE:OBJECT --bind 127.0.0.1:{port}" in completed.output
            assert "with the target of Squares" in completed.output
            assert "WRONG  calls" in completed.output


def test_a_paused_run_starts_no_subtask_until_it_is_resumed(key: str) -> None:
    with local([f"{FAN_OUTS}.waiting:idling"], ports=Ports(0, 0, 0)) as started:
        server = Server(started.ingress, started.admin)
        task = {"key": key, "count": 1_500, "free": 0}
        run = server.send("Idling", task)["invocationId"]
        where = addresses(server)
        eventually(lambda: _started(server) > 0)

        eventually(
            lambda: _exit_code(where, "pause", run) == 0
        )  # not while it only waits
        eventually(lambda: _started(server) == 0)
        assert _exit_code(where, "result", run, "--timeout", "1s") == 1
        repair(key)
        assert _exit_code(where, "resume", run) == 0
        answer = server.attach(run)

    assert answer.json() == 1_500


def test_the_final_counts_are_exact_after_the_worker_of_a_run_is_killed(
    key: str,
) -> None:
    targets = [f"{FAN_OUTS}.waiting:idling"]
    task = json.dumps({"key": key, "count": 1_500, "free": 0})
    with local(targets, ports=Ports(0, 0, 0)) as started:
        server = Server(started.ingress, started.admin)
        port = int(started.worker.rpartition(":")[2])
        with running("run", "Idling", task, environment=addresses(server)) as process:
            eventually(lambda: _counted(process.output) >= 20)
            started.processes[1].kill()
            started.processes[1].wait(LONG)
            repair(key)
            with serve(targets, port, environment=os.environ):
                assert process.ended() == 0
            assert "succeeded: 1500 of 1500 succeeded\n" in process.output


def _exit_code(where: dict[str, str], *arguments: str) -> int:
    """The exit code of a command."""
    with running(*arguments, environment=where) as process:
        return process.ended()


def _counted(output: str) -> int:
    """Return the number of ended subtasks in the last line."""
    counts = re.findall(r"(\d+) of 1500", output)
    return int(counts[-1]) if counts else 0


def _started(server: Server) -> int:
    """Return the number of subtasks that execute now."""
    return len(
        server.query(
            "select id from sys_invocation where target = 'Idling/runSubtask' "
            "and status <> 'completed'"
        )
    )


def _until(terminal: int, text: str) -> str:
    """Return the output of a terminal up to this text."""
    drawn = b""
    while text not in drawn.decode(errors="ignore"):
        drawn += os.read(terminal, 65536)
    return drawn.decode(errors="ignore")


def _all_of(terminal: int) -> str:
    """Return the output of a terminal until its last writer closes it."""
    drawn = b""
    while True:
        try:
            drawn += os.read(terminal, 65536)
        except OSError:
            os.close(terminal)
            return drawn.decode()
