"""Fan-outs as a Lambda function, on the stand-in."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from parallelizework.local.doctor import Finding, examine
from parallelizework.local.server import LocalServer

from ..integration.processes import eventually
from .fan_outs import text
from .server import server_on_lambda
from .stand_in import StandIn

HANDLER = f"{__package__}.fan_outs.handler"
TIMEOUT = 4  # seconds
MIB = 1024 * 1024


@dataclass
class Lambda:
    """A restate-server, and the function that it invokes."""

    server: LocalServer
    function: StandIn

    def run(self, service: str, task: object) -> httpx.Response:
        url = f"{self.server.ingress}/{service}/run"
        return httpx.post(url, json=task, timeout=100)


@pytest.fixture(scope="module")
def on_lambda(tmp_path_factory: pytest.TempPathFactory) -> Generator[Lambda]:
    folder = tmp_path_factory.mktemp("lambda")
    with server_on_lambda(
        {}, folder, handler=HANDLER, concurrency=3, timeout=TIMEOUT
    ) as (server, function):
        yield Lambda(server, function)


@contextmanager
def repeated(do: Callable[[], object], times: int, every: float) -> Generator[None]:
    """Do something several times, in a thread, while the block executes."""
    stopped = threading.Event()

    def work() -> None:
        for _ in range(times):
            if stopped.wait(every):
                return
            do()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def message(answer: httpx.Response) -> str:
    assert answer.is_error, answer.text[:200]
    return answer.json()["message"]


def test_fan_out_worker_completes(on_lambda: Lambda) -> None:
    answer = on_lambda.run("FanOutWorker", {"description": "make coffee,shower"})

    assert answer.json() == {"description": "make coffee: DONE,shower: DONE"}


def test_a_subtask_is_one_invocation(on_lambda: Lambda) -> None:
    on_lambda.function.usage.handlers.clear()

    answer = on_lambda.run("Squares", 40)

    assert answer.json() == sum(n * n for n in range(40))
    handlers = on_lambda.function.usage.handlers
    assert handlers["Squares/runSubtask"] == 40
    assert handlers.total() <= 40 * 3, handlers


def test_2000_subtasks_in_batches_complete_through_throttling_and_kills(
    on_lambda: Lambda,
) -> None:
    usage = on_lambda.function.usage
    throttled, killed = usage.throttled, usage.killed

    with repeated(on_lambda.function.kill_one, times=10, every=0.7):
        answer = on_lambda.run("Batches", 2_000)

    assert answer.json() == sum(n * n for n in range(2_000))
    assert usage.throttled > throttled
    assert usage.killed > killed


def test_a_batch_is_one_invocation(on_lambda: Lambda) -> None:
    on_lambda.function.usage.handlers.clear()

    answer = on_lambda.run("Batches", 320)

    assert answer.json() == sum(n * n for n in range(320))
    assert on_lambda.function.usage.handlers["Batches/runBatch"] == 320 / 16


def test_a_value_that_is_too_large_is_an_error_of_its_subtask(
    on_lambda: Lambda,
) -> None:
    answer = on_lambda.run("Texts", [3 * MIB])

    limit = "more than the 2.0 MiB that an invocation on AWS Lambda can carry"
    assert f"3.0 MiB, {limit}" in message(answer)


def test_the_largest_list_of_subtasks_is_executed(on_lambda: Lambda) -> None:
    sizes = [MIB // 2, MIB // 2, MIB // 2, MIB // 3]

    answer = on_lambda.run("LargeSubtasks", sizes)

    assert answer.json() == pytest.approx(sum(sizes), abs=16)


def test_subtasks_that_are_too_large_together_are_an_error_of_the_run(
    on_lambda: Lambda,
) -> None:
    answer = on_lambda.run("LargeSubtasks", [MIB] * 3)

    assert answer.status_code == 413
    assert "the list of subtasks of LargeSubtasks is 3.0 MiB" in message(answer)


def test_the_doctor_finds_a_run_that_aws_lambda_refuses(on_lambda: Lambda) -> None:
    server = on_lambda.server
    url = f"{server.ingress}/FanOutWorker/run/send"
    sent = httpx.post(url, json={"description": text(6 * MIB)}, timeout=100).json()
    run = sent["invocationId"]

    def too_large() -> list[Finding]:
        found = examine(server.ingress, server.admin)
        return [each for each in found if each.what == "journal"]

    eventually(lambda: bool(too_large()))
    [finding] = too_large()
    killed = httpx.patch(f"{server.admin}/invocations/{run}/kill")
    eventually(lambda: not too_large())

    assert killed.is_success
    assert f"{run} without end: the journal of FanOutWorker/run" in finding.text
    assert f"run restate invocations kill {run}, then" in finding.remedy


def test_a_journal_that_becomes_too_large_is_an_error_of_the_run(
    on_lambda: Lambda,
) -> None:
    answer = on_lambda.run("OneByOne", [MIB // 4] * 30)

    assert answer.status_code == 413
    assert "the journal of OneByOne/run is 5." in message(answer)


@pytest.mark.parametrize("service", ["Slow", "SlowAsync"])
def test_an_attempt_ends_before_the_function_is_stopped(
    on_lambda: Lambda, service: str
) -> None:
    failed = on_lambda.function.usage.failed

    answer = on_lambda.run(service, [0.0, 60.0])

    [failure] = answer.json()
    assert "subtask 1 timed out: an attempt took longer than 3." in failure
    assert "AWS Lambda would stop the function" in failure
    assert "attempts: 2" in failure
    assert on_lambda.function.usage.failed == failed


def test_a_batch_ends_before_the_function_is_stopped(on_lambda: Lambda) -> None:
    failed = on_lambda.function.usage.failed

    answer = on_lambda.run("SlowBatch", [0.0, 60.0, 0.0, 60.0])

    assert ["timed out" in failure for failure in answer.json()] == [True, True]
    assert ["attempts: 2" in failure for failure in answer.json()] == [True, True]
    assert on_lambda.function.usage.failed == failed


def test_a_batch_may_take_longer_than_the_function(on_lambda: Lambda) -> None:
    usage = on_lambda.function.usage
    failed, before = usage.failed, usage.handlers["OneSlot/runBatch"]

    answer = on_lambda.run("OneSlot", [TIMEOUT / 3] * 4)

    assert answer.json() == []
    assert usage.failed == failed
    assert 2 <= usage.handlers["OneSlot/runBatch"] - before <= 6


def test_a_long_pause_in_a_batch_is_not_billed(on_lambda: Lambda) -> None:
    usage = on_lambda.function.usage
    failed, billed = usage.failed, usage.seconds

    answer = on_lambda.run("Until", [time.time() + 2 * TIMEOUT] * 4)

    assert answer.json() == []
    assert usage.failed == failed
    assert usage.seconds - billed < TIMEOUT / 2
