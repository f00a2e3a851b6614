"""Runs of many subtasks: segments, windows, shards, batches, and their limits."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports

from .conftest import Server
from .processes import eventually
from .test_dev import FAN_OUTS


def overlap(spans: Iterable[dict[str, int]]) -> int:
    """Return the largest number of subtasks that executed at once."""
    events = sorted(
        event for span in spans for event in ((span["start"], 1), (span["end"], -1))
    )
    now = most = 0
    for _, change in events:
        now += change
        most = max(most, now)
    return most


def test_a_run_of_several_segments_returns_values_in_order(server: Server) -> None:
    assert server.run("Segmented", 1_500).json() == list(range(1_500))


def test_shards_are_expanded_and_return_values_in_order(server: Server) -> None:
    assert server.run("Sharded", 305).json() == list(range(305))


def test_aggregate_receives_the_combined_values_of_all_shards_as_one(
    server: Server,
) -> None:
    assert server.run("Combined", 305).json() == [1, sum(range(305))]


@pytest.mark.parametrize("count", [0, 1])
def test_a_run_with_no_or_one_subtask_has_the_same_form_of_result(
    server: Server, count: int
) -> None:
    assert server.run("Sharded", count).json() == list(range(count))
    assert server.run("Combined", count).json() == [count, 0]
    assert server.run("Batched", count).json() == list(range(count))


def test_batches_return_values_in_order(server: Server) -> None:
    assert server.run("Batched", 100).json() == [n * n for n in range(100)]


def test_a_retried_subtask_does_not_execute_the_rest_of_its_batch_again(
    server: Server, key: str
) -> None:
    assert server.run("FlakyBatch", {"key": key}).json() == [1, 3, 1]


def test_a_poison_subtask_in_a_batch_fails_the_run_with_its_index(
    server: Server,
) -> None:
    answer = server.run("PoisonBatch", 4)

    assert answer.status_code == 500
    message = answer.json()["message"]
    assert message.startswith("subtask 2 failed: ValueError('poison') in poisoned, ")
    assert message.endswith(" (subtask: 2, attempts: 2)")


def test_a_failure_in_a_segment_ends_the_run_and_cancels_the_rest(
    server: Server,
) -> None:
    answer = server.run("Late", 2_200)

    assert answer.status_code == 418
    assert answer.json()["message"] == (
        "subtask 1100 failed: poison (subtask: 1100, attempts: 1)"
    )
    assert_nothing_left(server, "Late")


def test_cancelling_a_run_cancels_its_segments_and_subtasks(
    server: Server, key: str
) -> None:
    task = {"key": key, "count": 3_000, "free": 0}
    run = server.send("Staggering", task)["invocationId"]
    subtasks = """
        select id from sys_invocation
        where target = 'Staggering/runSubtask' and status != 'completed'
    """
    eventually(lambda: bool(server.query(subtasks)))

    server.cancel(run)

    assert server.attach(run).status_code == 409
    assert_nothing_left(server, "Staggering")


def assert_nothing_left(server: Server, service: str) -> None:
    left = (
        "select target from sys_invocation "
        f"where target like '{service}/%' and status != 'completed'"
    )
    eventually(lambda: not server.query(left))


@pytest.mark.parametrize("service", ["Paced", "PacedBatch"])
def test_max_concurrency_is_never_exceeded(server: Server, service: str) -> None:
    spans = server.run(service, 1_200).json()

    assert len(spans) == 1_200
    assert 1 < overlap(spans) <= 50


def test_max_concurrency_is_never_exceeded_by_two_processes_together() -> None:
    """A connection may go to either process, so the test repeats until both execute."""
    processes: set[int] = set()
    for _ in range(10):
        with local(
            [f"{FAN_OUTS}.concurrency:paced"], ports=Ports(0, 0, 0), workers=2
        ) as started:
            spans = Server(started.ingress, started.admin).run("Paced", 1_200).json()
        processes = {span["process"] for span in spans}
        assert overlap(spans) <= 50
        if len(processes) == 2:
            return

    pytest.fail(f"only {processes} took part")


@pytest.mark.parametrize(
    ("service", "counts"),
    [
        ("Steady", [200]),
        # With 900 steps or more, a replay after each step takes minutes.
        pytest.param("Steady", [900], marks=pytest.mark.once),
        pytest.param("Steady", [1_200], marks=pytest.mark.once),
        ("SteadySharded", [20, 600]),
        ("SteadySharded", [1] * 200),
    ],
)
def test_a_returned_slot_is_used_while_the_other_slots_are_held(
    server: Server, key: str, service: str, counts: list[int]
) -> None:
    """One may leave only while 45 of the 50 are there: else this never ends."""
    answer = server.run(service, {"run": key, "counts": counts})

    assert answer.json() == sum(counts)


def test_as_many_threads_block_at_once_as_max_concurrency(server: Server) -> None:
    """Each waits for all the others."""
    assert server.run("Blocking", 100).json() == 100


@pytest.mark.once
@pytest.mark.parametrize(
    ("service", "task", "part"),
    [
        ("Sizes", {"split": 33}, "the list of subtasks of Sizes is 33.0 MiB"),
        ("Sizes", {"value": 33}, "a value of Sizes is 33.0 MiB"),
        ("Sizes", {"result": 33}, "the result of Sizes is 33.0 MiB"),
        ("SizesSharded", {"count": 2, "value": 17}, "the list of values of a slice of"),
        ("SizesBatched", {"count": 2, "value": 17}, "the values of a batch of"),
        ("SizesJoined", 24, "a value of SizesJoined is"),
    ],
)
def test_a_too_large_message_fails_the_run_and_is_named_in_the_error(
    server: Server, service: str, task: object, part: str
) -> None:
    answer = server.run(service, task)

    assert answer.status_code == 413
    assert part in answer.json()["message"]
    assert "MiB that one message of Restate can carry" in answer.json()["message"]


@pytest.mark.once
def test_values_of_a_mebibyte_each_can_be_combined(server: Server) -> None:
    answer = server.run("SizesCombined", {"count": 100, "value": 1})

    assert answer.json() == str(2**20)


def test_many_runs_all_end_on_a_server_that_invokes_few_at_a_time() -> None:
    few = {"RESTATE_WORKER__INVOKER__CONCURRENT_INVOCATIONS_LIMIT": "10"}
    target = f"{FAN_OUTS}.values:squares"
    with (
        local([target], ports=Ports(0, 0, 0), environment=few) as started,
        ThreadPoolExecutor(20) as pool,
    ):
        server = Server(started.ingress, started.admin)
        runs = [pool.submit(server.run, "Squares", 100) for _ in range(20)]
        answers = [run.result() for run in runs]

    assert [len(answer.json()) for answer in answers] == [100] * 20
