"""The log of a real worker as JSON: one object per line, with the run and the index."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from parallelizework.client import Client, healthy
from parallelizework.errors import RunFailed
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server

from .conftest import HTTP
from .processes import Running, eventually, running

FAN_OUTS = """
import logging
import warnings
from datetime import timedelta

from restate import Context

from parallelizework import FanOut, Policy

logger = logging.getLogger(__name__)
warnings.warn("an old module")


def split(count: int) -> list[int]:
    logger.info("splits %d", count)
    return list(range(count))


def in_thread(number: int) -> int:
    logger.info("in a thread", extra={"photo": {"number": number}})
    return number


async def in_loop(number: int) -> int:
    logger.info("in the loop")
    return number


def broken(number: int) -> int:
    raise ValueError(f"{number} is\\nbroken")


async def durable(ctx: Context, number: int) -> int:
    logger.info("before the pause")
    await ctx.sleep(timedelta(milliseconds=100))
    logger.info("after the pause")
    return number


def len_of(numbers: list[int]) -> int:
    return len(numbers)


def named(number: int) -> str:
    return f"check-{number}"


def fan_out(name: str, execute, **policy: object) -> FanOut:
    soon = timedelta(milliseconds=1)
    policy = Policy(max_attempts=2, initial_retry_interval=soon, **policy)
    functions = {"split": split, "execute": execute, "aggregate": len_of}
    return FanOut(name, **functions, name_of=named, policy=policy)


threads = fan_out("Threads", in_thread)
batches = fan_out("Batches", in_loop, max_items_per_batch=4)
failing = fan_out("Failing", broken)
pausing = fan_out("Pausing", durable)
"""
LABELS = {"tenant": "acme", "note": "two words"}


class Log:
    """All lines of a worker, and the runs that it has executed."""

    def __init__(self, runs: dict[str, str], output: str) -> None:
        self.runs = runs
        self.lines: list[dict[str, Any]] = [
            json.loads(line) for line in output.splitlines()
        ]

    def of(self, message: str) -> list[dict[str, Any]]:
        """The lines whose message begins with this."""
        return [each for each in self.lines if each["message"].startswith(message)]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """The log of a worker with two processes, from its start to its stop."""
    folder = tmp_path_factory.mktemp("log")
    (folder / "logged.py").write_text(FAN_OUTS)
    ports = Ports(0, 0, 0).chosen()
    url = f"http://127.0.0.1:{ports.worker}"
    admin, ingress = (f"http://127.0.0.1:{p}" for p in (ports.admin, ports.ingress))
    arguments = ["--bind", f"127.0.0.1:{ports.worker}", "--workers", "2"]
    environment = {"PARALLELIZEWORK_LOG_FORMAT": "json"}
    with (
        restate_server(find("restate-server"), ports, folder, {}),
        running(
            "serve", f"{folder / 'logged.py'}", *arguments, environment=environment
        ) as worker,
        Client(ingress, admin) as client,
    ):
        eventually(lambda: healthy(f"{url}/health") or worker.has_ended)
        assert not worker.has_ended, worker.output
        client.register(url)
        always_suspended = {"inactivity_timeout": "0s"}
        service = f"{admin}/services/Pausing"
        HTTP.patch(service, json=always_suspended).raise_for_status()
        runs = {name: run(client, name) for name in ("Threads", "Batches", "Pausing")}
        with pytest.raises(RunFailed):
            client.run("Failing", 1)
        kill_a_process(worker)
        worker.process.terminate()
        assert worker.ended() == 0
        yield Log(runs, worker.output)


def run(client: Client, name: str) -> str:
    """Run 4 subtasks, and return the id of the run."""
    handle = client.submit(name, 4, labels=LABELS)
    assert handle.result() == 4
    return handle.id


def kill_a_process(worker: Running) -> None:
    """Kill a process of the worker, and wait until the worker has replaced it."""
    lines = map(json.loads, worker.output.splitlines())
    processes = {each["process"] for each in lines} - {worker.process.pid}
    os.kill(min(processes), signal.SIGKILL)
    worker.wait_for("was killed by SIGKILL")


def test_each_line_is_an_object_with_time_level_logger_message_and_process(
    log: Log,
) -> None:
    common = {"time", "level", "logger", "message", "process"}

    assert all(common <= each.keys() for each in log.lines)
    assert len(log.of("Serving on ")) == 1
    assert [each["level"] for each in log.of("Process ")] == ["ERROR"]
    assert any("UserWarning: an old module" in each["message"] for each in log.lines)


def test_the_users_own_line_in_a_thread_names_the_subtask(log: Log) -> None:
    lines = log.of("in a thread")

    assert sorted(each["index"] for each in lines) == [0, 1, 2, 3]
    for each in lines:
        expected = {
            "level": "INFO",
            "logger": "logged",
            "run": log.runs["Threads"],
            "labels": LABELS,
            "fan_out": "Threads",
            "role": "execute",
            "function": "in_thread",
            "attempt": 1,
            "name": f"check-{each['index']}",
            "photo": {"number": each["index"]},
        }
        assert expected.items() <= each.items()
        assert each["invocation"] not in {log.runs["Threads"], "-"}


def test_each_subtask_of_a_batch_has_its_own_index(log: Log) -> None:
    lines = log.of("in the loop")

    assert sorted(each["index"] for each in lines) == [0, 1, 2, 3]
    assert {each["run"] for each in lines} == {log.runs["Batches"]}
    assert len({each["invocation"] for each in lines}) == 1


def test_a_line_of_split_names_the_run(log: Log) -> None:
    runs = {each["run"] for each in log.of("splits 4")}

    assert runs == set(log.runs.values())


def test_each_failed_attempt_is_one_line_with_its_error_and_its_time(log: Log) -> None:
    lines = log.of("attempt failed: ")

    assert [each["attempt"] for each in lines] == [1, 2]
    for each in lines:
        assert each["level"] == "WARNING"
        assert each["fan_out"] == "Failing"
        assert each["error"].startswith(r"ValueError('0 is\nbroken') in broken, logged")
        assert each["traceback"].endswith("ValueError: 0 is\nbroken")
        assert 0 <= each["seconds"] < 60


def test_a_replay_of_handler_code_logs_nothing_again(log: Log) -> None:
    for message in ("before the pause", "after the pause"):
        lines = log.of(message)

        assert sorted(each["index"] for each in lines) == [0, 1, 2, 3]
        assert {each["run"] for each in lines} == {log.runs["Pausing"]}
